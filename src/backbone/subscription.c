/*
 * Matching is on the way of every event, so which subscriptions want a type is worked out once for each type that
 * occurs and kept until a subscription changes. With none there is nothing to look up.
 */
#include "backbone/subscription.h"

#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>

#define NAME_HEAD  "sub_"
#define TYPES_KEPT 4096
#define COUNT_MAX  1000000
#define SEQ_DIGITS 10

struct wanted {
	char *type;
	size_t count;
	int64_t seqs[];
};

struct subscriptions {
	struct subscription *list; /* by seq */
	size_t count, room;
	struct map by_type; /* struct wanted */
	int64_t *others;    /* a match without one of them */
	size_t others_room;
};

void subscription_name(int64_t seq, char out[SUBSCRIPTION_NAME_MAX])
{
	snprintf(out, SUBSCRIPTION_NAME_MAX, NAME_HEAD "%lld", (long long)seq);
}

bool subscription_name_parse(struct str name, int64_t *seq)
{
	const size_t head = sizeof(NAME_HEAD) - 1;
	int64_t n = 0;

	if (name.n <= head || name.n > head + SEQ_DIGITS || memcmp(name.p, NAME_HEAD, head) != 0 || name.p[head] == '0')
		return false;
	for (size_t i = head; i < name.n; i++) {
		if (name.p[i] < '0' || name.p[i] > '9')
			return false;
		n = n * 10 + (name.p[i] - '0');
	}
	*seq = n;
	return n < SUBSCRIPTION_SYSTEM;
}

enum rc subscription_from_row(const struct store_value *c, struct subscription *out)
{
	*out = (struct subscription){
	    .seq = c[0].integer,
	    .state = (enum subscription_state)c[1].integer,
	    .url = c[2].bytes,
	    .types = c[3].bytes,
	    .secrets = c[4].bytes,
	    .reason = c[5].bytes,
	    .created_at = c[6].integer,
	    .changed_at = c[7].integer,
	    .failing_since = c[8].integer,
	    .warned_at = c[9].integer,
	    .failures = c[10].integer,
	};
	bool good = replay_parse(c[11].bytes, &out->replay) && out->seq > 0 && out->seq < SUBSCRIPTION_SYSTEM &&
		    c[1].integer >= SUBSCRIPTION_ENABLED && c[1].integer <= SUBSCRIPTION_DELETED;
	return good ? RC_OK : RC_IO;
}

enum rc subscription_load(struct store_reader *r, struct arena *a, int64_t seq, struct subscription *out, struct err *e)
{
	struct store_value row[SUBSCRIPTION_COLUMNS];
	enum rc rc = store_read_one(r, R_SUBSCRIPTION, &SV_INT(seq), 1, a, row, e);

	if (rc != RC_OK)
		return rc;
	if (subscription_from_row(row, out) != RC_OK)
		return err_set(e, RC_IO, "store_damaged", "subscription %lld makes no sense", (long long)seq);
	return RC_OK;
}

bool subscription_wants(struct str types, struct str type)
{
	for (size_t at = 0, end; at < types.n; at = end + 1) {
		for (end = at; end < types.n && types.p[end] != ' ';)
			end++;
		struct str one = {types.p + at, end - at};
		bool open = one.n && one.p[one.n - 1] == '*';
		if (open ? type.n >= one.n - 1 && memcmp(type.p, one.p, one.n - 1) == 0 : str_eq(one, type))
			return true;
	}
	return false;
}

/* ---- the table ---- */

struct subscriptions *subscriptions_new(void)
{
	struct subscriptions *s = mem_zalloc(1, sizeof(*s));

	map_init(&s->by_type, TYPES_KEPT);
	return s;
}

static void forget_matches(struct subscriptions *s)
{
	struct str key;
	struct wanted *w;

	for (size_t at = 0; (w = map_next(&s->by_type, &at, &key));) {
		free(w->type);
		free(w);
	}
	map_done(&s->by_type);
	map_init(&s->by_type, TYPES_KEPT);
}

static void free_one(struct subscription *one)
{
	free((char *)one->url.p);
	free((char *)one->types.p);
	free((char *)one->secrets.p);
	free((char *)one->reason.p);
}

void subscriptions_free(struct subscriptions *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		free_one(&s->list[i]);
	forget_matches(s);
	map_done(&s->by_type);
	free(s->list);
	free(s->others);
	free(s);
}

/* Where seq is, or where it belongs. */
static size_t place_of(const struct subscriptions *s, int64_t seq)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->list[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct subscription *subscriptions_find(struct subscriptions *s, int64_t seq)
{
	size_t at = place_of(s, seq);

	return at < s->count && s->list[at].seq == seq ? &s->list[at] : NULL;
}

void subscriptions_put(struct subscriptions *s, const struct subscription *one)
{
	size_t at = place_of(s, one->seq);
	bool known = at < s->count && s->list[at].seq == one->seq;
	struct subscription copy = *one, old = {0};

	copy.url = mem_copy(one->url);
	copy.types = mem_copy(one->types);
	copy.secrets = mem_copy(one->secrets);
	copy.reason = mem_copy(one->reason);
	forget_matches(s);
	if (known)
		old = s->list[at];
	if (one->state == SUBSCRIPTION_DELETED) {
		free_one(&copy);
		if (known)
			memmove(&s->list[at], &s->list[at + 1], (--s->count - at) * sizeof(s->list[0]));
	} else if (known) {
		s->list[at] = copy;
	} else {
		assert(s->count < COUNT_MAX);
		if (s->count == s->room) {
			s->room = s->room ? 2 * s->room : 16;
			s->list = mem_grow(s->list, s->room * sizeof(s->list[0]));
		}
		memmove(&s->list[at + 1], &s->list[at], (s->count++ - at) * sizeof(s->list[0]));
		s->list[at] = copy;
	}
	if (known)
		free_one(&old);
}

size_t subscriptions_count(const struct subscriptions *s)
{
	return s->count;
}

struct subscription *subscriptions_at(struct subscriptions *s, size_t i)
{
	assert(i < s->count);
	return &s->list[i];
}

static struct wanted *who_wants(struct subscriptions *s, struct str type)
{
	struct wanted *w = mem_alloc(sizeof(*w) + s->count * sizeof(w->seqs[0]));

	w->type = (char *)mem_copy(type).p;
	w->count = 0;
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].state == SUBSCRIPTION_ENABLED && subscription_wants(s->list[i].types, type))
			w->seqs[w->count++] = s->list[i].seq;
	return w;
}

const int64_t *subscriptions_match(struct subscriptions *s, struct str type, struct str subject, size_t *count)
{
	static const struct str own = STR("subscription.");
	int64_t about;
	struct wanted *w;

	*count = 0;
	if (s->count == 0)
		return NULL;
	w = map_get(&s->by_type, type);
	if (!w) {
		if (s->by_type.count == TYPES_KEPT)
			forget_matches(s); /* more types than there are: begin again */
		w = who_wants(s, type);
		enum rc rc = map_put(&s->by_type, (struct str){w->type, type.n}, w);
		assert(rc == RC_OK);
	}
	*count = w->count;
	if (w->count == 0 || !subscription_name_parse(subject, &about))
		return w->seqs;
	*count = 0;
	if (type.n < own.n || memcmp(type.p, own.p, own.n) != 0)
		return NULL;
	if (s->others_room < w->count) {
		s->others_room = w->count;
		s->others = mem_grow(s->others, s->others_room * sizeof(s->others[0]));
	}
	for (size_t i = 0; i < w->count; i++)
		if (w->seqs[i] != about)
			s->others[(*count)++] = w->seqs[i];
	return s->others;
}
