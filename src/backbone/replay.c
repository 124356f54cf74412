#include "backbone/replay.h"

#include <assert.h>
#include <stdio.h>

/* In front: what is below everything asked for so far. */
static bool add_below(struct replay_ranges *r, struct replay_range below)
{
	if (r->count && r->left[0].after == below.through) {
		r->left[0].after = below.after;
		return true;
	}
	if (r->count == REPLAY_RANGES_MAX)
		return false;
	for (size_t i = r->count++; i > 0; i--)
		r->left[i] = r->left[i - 1];
	r->left[0] = below;
	return true;
}

static bool add_above(struct replay_ranges *r, struct replay_range above)
{
	if (r->count && r->left[r->count - 1].through == above.after) {
		r->left[r->count - 1].through = above.through;
		return true;
	}
	if (r->count == REPLAY_RANGES_MAX)
		return false;
	r->left[r->count++] = above;
	return true;
}

bool replay_ask(struct replay_ranges *r, int64_t after, int64_t through)
{
	struct replay_ranges now = *r;

	if (after >= through)
		return true;
	if (now.asked.after == now.asked.through) {
		*r = (struct replay_ranges){.asked = {after, through}, .left = {{after, through}}, .count = 1};
		return true;
	}
	/* Without a gap: what lies between the two is sent as well. */
	if (through > now.asked.through) {
		if (!add_above(&now, (struct replay_range){now.asked.through, through}))
			return false;
		now.asked.through = through;
	}
	if (after < now.asked.after) {
		if (!add_below(&now, (struct replay_range){after, now.asked.after}))
			return false;
		now.asked.after = after;
	}
	*r = now;
	return true;
}

void replay_reached(struct replay_ranges *r, int64_t position)
{
	assert(r->count && position >= r->left[0].after);
	r->left[0].after = position;
	if (position < r->left[0].through)
		return;
	r->count--;
	for (size_t i = 0; i < r->count; i++)
		r->left[i] = r->left[i + 1];
}

struct str replay_format(const struct replay_ranges *r, char out[REPLAY_TEXT_MAX])
{
	int n = 0;

	if (r->asked.after == r->asked.through)
		return STR_NONE;
	n = snprintf(out, REPLAY_TEXT_MAX, "%lld-%lld", (long long)r->asked.after, (long long)r->asked.through);
	for (size_t i = 0; i < r->count; i++)
		n += snprintf(out + n, REPLAY_TEXT_MAX - (size_t)n, " %lld-%lld", (long long)r->left[i].after,
			      (long long)r->left[i].through);
	assert(n < REPLAY_TEXT_MAX);
	return (struct str){out, (size_t)n};
}

static bool read_number(struct str *text, char end, int64_t *out)
{
	size_t i = 0;

	*out = 0;
	for (; i < text->n && i < 18 && text->p[i] >= '0' && text->p[i] <= '9'; i++)
		*out = *out * 10 + (text->p[i] - '0');
	if (i == 0 || (i < text->n && text->p[i] != end) || (i == text->n && end == '-'))
		return false;
	i += i < text->n;
	*text = (struct str){text->p + i, text->n - i};
	return true;
}

bool replay_parse(struct str text, struct replay_ranges *out)
{
	struct replay_range one;
	int64_t before = 0;

	*out = (struct replay_ranges){0};
	for (bool first = true; text.n; first = false) {
		if (!read_number(&text, '-', &one.after) || !read_number(&text, ' ', &one.through) ||
		    one.after >= one.through || out->count == REPLAY_RANGES_MAX)
			return false;
		if (first) {
			out->asked = one;
			before = one.after;
			continue;
		}
		if (one.after < before || one.through > out->asked.through)
			return false;
		before = one.through;
		out->left[out->count++] = one;
	}
	return true;
}
