#include "sandbox/behave.h"

#include "base/decimal.h"

#include <string.h>

#define PPM 1000000

static const char *const names[] = {"slow",      "down",    "refuse", "throttle",    "lose_answers",
				    "duplicate", "reorder", "flap",   "unauthorized"};
_Static_assert(sizeof(names) / sizeof(names[0]) == BEHAVE_MODES, "a name for each mode");

void behave_init(struct behave *b, uint64_t seed)
{
	*b = (struct behave){.random = seed};
}

/* SplitMix64 (Steele, Lea, Flood, 2014). */
static uint64_t next_random(struct behave *b)
{
	uint64_t z = b->random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool applies(struct behave *b, struct behave_rule *r)
{
	r->seen++;
	if (r->every > 0)
		return r->seen % r->every == 0;
	return (int64_t)(next_random(b) % PPM) < r->probability_ppm;
}

static bool mode_of(struct str name, enum behave_mode *mode)
{
	for (size_t i = 0; i < BEHAVE_MODES; i++) {
		if (str_is(name, names[i])) {
			*mode = (enum behave_mode)i;
			return true;
		}
	}
	return false;
}

static bool probability(const struct json *j, int64_t *ppm)
{
	struct decimal d;
	if (decimal_parse(json_text(j), &d, NULL) || decimal_rescale(d, 6, DECIMAL_DOWN, &d))
		return false;
	*ppm = d.units;
	return d.units >= 0 && d.units <= PPM;
}

static enum rc read_member(struct behave_rule *r, struct behave *b, const struct json_member *m, bool *add,
			   struct err *e)
{
	const struct {
		const char *name;
		int64_t *value;
	} numbers[] = {
	    {"ms", &r->ms},
	    {"up_ms", &r->up_ms},
	    {"every", &r->every},
	    {"down_ms", &r->down_ms},
	    {"retry_after", &r->retry_after_s},
	};
	int64_t n;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!str_is(m->name, numbers[i].name))
			continue;
		if (!json_int(&m->value, &n) || n < 0 || n > 86400000)
			return err_set_at(e, RC_INVALID, "bad_behaviour", numbers[i].name,
					  "It must be a whole number from 0 to 86,400,000.");
		*numbers[i].value = n;
		return RC_OK;
	}
	bool *flag = str_is(m->name, "close") ? &r->close : str_is(m->name, "add") ? add : NULL;
	if (flag && json_is(&m->value, JSON_BOOL)) {
		*flag = m->value.boolean;
		return RC_OK;
	}
	if (str_is(m->name, "mode") || (str_is(m->name, "probability") && probability(&m->value, &r->probability_ppm)))
		return RC_OK;
	if (str_is(m->name, "seed") && json_int(&m->value, &n)) {
		b->random = (uint64_t)n;
		return RC_OK;
	}
	return err_set(e, RC_INVALID, "bad_behaviour", "\"" STR_FMT "\" is unknown or has a value that it cannot have.",
		       STR_ARG(m->name));
}

enum rc behave_set(struct behave *b, const struct json *rule, int64_t now_ms, struct err *e)
{
	struct str name = json_get_text(rule, "mode");
	struct behave changed = *b;
	if (str_is(name, "ok")) {
		b->count = 0;
		return RC_OK;
	}
	struct behave_rule r = {
	    .ms = 1000, .up_ms = 2000, .down_ms = 1000, .retry_after_s = 1, .probability_ppm = PPM, .since_ms = now_ms};
	if (!mode_of(name, &r.mode))
		return err_set(e, RC_INVALID, "unknown_mode", "There is no mode \"" STR_FMT "\".", STR_ARG(name));
	bool add = false;
	for (uint32_t i = 0; i < rule->count; i++) {
		enum rc rc = read_member(&r, &changed, &rule->members[i], &add, e);
		if (rc)
			return rc;
	}
	if (r.mode == BEHAVE_FLAP && r.up_ms + r.down_ms == 0)
		return err_set(e, RC_INVALID, "bad_behaviour", "up_ms and down_ms cannot both be 0.");
	if (!add)
		changed.count = 0;
	if (changed.count == BEHAVE_RULES_MAX)
		return err_set(e, RC_LIMIT, "too_many_rules", "There are %d rules already.", BEHAVE_RULES_MAX);
	changed.rules[changed.count++] = r;
	*b = changed;
	return RC_OK;
}

enum rc behave_set_text(struct behave *b, const char *text, int64_t now_ms, struct err *e)
{
	struct arena a;
	struct buf out;
	struct json *rule;
	arena_init(&a, 1 << 16);
	buf_init(&out, 4096);
	size_t n = strcspn(text, ",");
	buf_add_z(&out, "{\"mode\":");
	json_write_text(&out, (struct str){text, n});
	while (text[n] == ',') {
		text += n + 1;
		size_t equals = strcspn(text, "=,");
		n = equals + strcspn(text + equals, ",");
		buf_add_char(&out, ',');
		json_write_text(&out, (struct str){text, equals});
		buf_add_char(&out, ':');
		buf_add(&out, text[equals] == '=' ? text + equals + 1 : "true",
			text[equals] == '=' ? n - equals - 1 : 4);
	}
	buf_add_char(&out, '}');
	enum rc rc = buf_ok(&out) ? json_parse(&a, buf_str(&out), NULL, &rule, e)
				  : err_set(e, RC_LIMIT, "bad_behaviour", "The text is too long.");
	if (rc == RC_OK)
		rc = behave_set(b, rule, now_ms, e);
	buf_done(&out);
	arena_done(&a);
	return rc;
}

static void refuse_with(struct behave_verdict *v, int status, const char *detail)
{
	if (v->status == 0) {
		v->status = status;
		v->detail = detail;
	}
}

static void go_down(struct behave_verdict *v, const struct behave_rule *r)
{
	if (r->close)
		v->hang_up = true;
	else
		refuse_with(v, 503, "The system is down.");
}

struct behave_verdict behave_request(struct behave *b, int64_t now_ms)
{
	struct behave_verdict v = {0};
	for (size_t i = 0; i < b->count; i++) {
		struct behave_rule *r = &b->rules[i];
		if (r->mode == BEHAVE_DUPLICATE || r->mode == BEHAVE_REORDER)
			continue;
		if (r->mode == BEHAVE_FLAP) {
			if ((now_ms - r->since_ms) % (r->up_ms + r->down_ms) >= r->up_ms)
				go_down(&v, r);
			continue;
		}
		if (!applies(b, r))
			continue;
		switch (r->mode) {
		case BEHAVE_SLOW:
			v.delay_ms += r->ms;
			break;
		case BEHAVE_DOWN:
			go_down(&v, r);
			break;
		case BEHAVE_REFUSE:
			refuse_with(&v, 422, "The system refuses this on request.");
			break;
		case BEHAVE_THROTTLE:
			refuse_with(&v, 429, "Too many requests.");
			v.retry_after_s = r->retry_after_s;
			break;
		case BEHAVE_LOSE_ANSWERS:
			v.lose_answer = true;
			break;
		case BEHAVE_UNAUTHORIZED:
			refuse_with(&v, 401, "The credentials are not accepted.");
			break;
		case BEHAVE_DUPLICATE:
		case BEHAVE_REORDER:
		case BEHAVE_FLAP:
		case BEHAVE_MODES:
			break;
		}
	}
	return v;
}

static bool own_message(struct behave *b, enum behave_mode mode)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->rules[i].mode == mode && applies(b, &b->rules[i]))
			return true;
	return false;
}

bool behave_duplicates(struct behave *b)
{
	return own_message(b, BEHAVE_DUPLICATE);
}

bool behave_reorders(struct behave *b)
{
	return own_message(b, BEHAVE_REORDER);
}

void behave_write(const struct behave *b, struct json_writer *w)
{
	jw_array(w);
	for (size_t i = 0; i < b->count; i++) {
		const struct behave_rule *r = &b->rules[i];
		jw_object(w);
		jw_key_text(w, "mode", str_from(names[r->mode]));
		jw_key_int(w, "every", r->every);
		jw_key_int(w, "probability_ppm", r->probability_ppm);
		jw_key_int(w, "seen", r->seen);
		jw_object_end(w);
	}
	jw_array_end(w);
}
