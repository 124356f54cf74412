/* Answers: a table decides the outcome, pointers or a mapping say what else there is to know. */
#include "mediate/pack_state.h"

#include "base/clock.h"
#include "base/decimal.h"

#include <stdio.h>

#define ANSWER_BYTES_MAX (8u << 20)
#define DETAIL_BYTES_MAX 500
#define RETRY_AFTER_MAX  86400
#define POINTS_MAX       ((int64_t)1000000000000)

/* Cut at a character's end. */
static struct str shorten(struct str s)
{
	if (s.n <= DETAIL_BYTES_MAX)
		return s;
	s.n = DETAIL_BYTES_MAX;
	while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7) as an instant; 0 if it is not one. */
static int64_t read_date(struct str text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char copy[32], month[4], rfc3339[32];
	int day, year, hour, minute, second;
	int64_t ms;
	if (text.n != 29)
		return 0;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (sscanf(copy + 4, " %2d %3s %4d %2d:%2d:%2d GMT", &day, month, &year, &hour, &minute, &second) != 6)
		return 0;
	const char *at = strstr(months, month);
	if (!at || strlen(month) != 3 || (at - months) % 3)
		return 0;
	int n = snprintf(rfc3339, sizeof(rfc3339), "%04d-%02d-%02dT%02d:%02d:%02dZ", year, (int)(at - months) / 3 + 1,
			 day, hour, minute, second);
	if (n != 20 || time_parse((struct str){rfc3339, 20}, &ms, NULL) != RC_OK)
		return 0;
	return ms;
}

/* Seconds or a date (RFC 9110, section 10.2.3). */
static void read_retry_after(struct str text, struct pack_answer *out)
{
	int64_t seconds = 0;
	size_t i = 0;
	for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		seconds = seconds > RETRY_AFTER_MAX ? seconds : seconds * 10 + (text.p[i] - '0');
	if (i == text.n && i > 0)
		out->retry_after_ms = (seconds > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : seconds) * 1000;
	else
		out->retry_at_ms = read_date(text);
}

static enum outcome find_outcome(const struct operation_plan *plan, int status, struct str code)
{
	for (size_t i = 0; i < plan->rule_count; i++) {
		const struct answer_rule *r = &plan->rules[i];
		if (status >= r->low && status <= r->high && (!r->code.p || str_eq(r->code, code)))
			return r->outcome;
	}
	return OUTCOME_CONFIGURATION;
}

static const struct json *parse_answer(struct arena *arena, struct str body)
{
	struct json_limits limits = JSON_LIMITS_DEFAULT;
	struct json *j;
	limits.bytes = ANSWER_BYTES_MAX;
	if (!body.n || json_parse(arena, body, &limits, &j, NULL) != RC_OK)
		return NULL;
	return j;
}

static struct str text_at(const struct json *j, struct str pointer)
{
	return j && pointer.p ? json_text(pack_at(j, pointer)) : STR_NONE;
}

/* A number of points, in thousandths. */
static int64_t read_points(const struct json *cost, const char *name)
{
	struct decimal d, scaled;
	if (decimal_parse(json_text(json_get(cost, name)), &d, NULL) != RC_OK ||
	    decimal_rescale(d, 3, DECIMAL_DOWN, &scaled) != RC_OK || scaled.units < 0)
		return 0;
	return scaled.units < POINTS_MAX ? scaled.units : POINTS_MAX;
}

static void read_cost(const struct json *cost, struct pack_cost *out)
{
	if (!json_is(cost, JSON_OBJECT) || !json_get(cost, "available"))
		return;
	*out = (struct pack_cost){
	    .known = true,
	    .requested = read_points(cost, "requested"),
	    .actual = read_points(cost, "actual"),
	    .available = read_points(cost, "available"),
	    .maximum = read_points(cost, "maximum"),
	    .restore_rate = read_points(cost, "restore_rate"),
	};
}

static enum rc bad_outcome(struct str outcome, struct err *e)
{
	return err_set_at(e, RC_INVALID, "mapping_failed", "/outcome", "\"" STR_FMT "\" is no outcome",
			  STR_ARG(outcome));
}

/* One delivery's own result; null: as the whole. */
static enum rc read_part(const struct json *j, struct pack_part *out, struct err *e)
{
	struct str outcome = json_get_text(j, "outcome");
	*out = (struct pack_part){.said = outcome.p != NULL};
	if (!outcome.p)
		return RC_OK;
	if (!outcome_parse(outcome, &out->outcome))
		return bad_outcome(outcome, e);
	out->external_id = json_text(json_get(j, "external_id"));
	out->detail = shorten(json_get_text(j, "detail"));
	return RC_OK;
}

static enum rc read_parts(const struct json *results, const struct json *deliveries, struct arena *arena,
			  struct pack_answer *out, struct err *e)
{
	if (!json_is(results, JSON_ARRAY) || !deliveries)
		return RC_OK;
	if (results->count != deliveries->count)
		return err_set_at(e, RC_INVALID, "mapping_failed", "/results", "there are %u results for %u deliveries",
				  results->count, deliveries->count);
	struct pack_part *parts = arena_array(arena, struct pack_part, results->count);
	if (!parts)
		return err_set(e, RC_LIMIT, "answer_too_large", "the answer does not fit its memory");
	out->parts = parts;
	for (uint32_t i = 0; i < results->count; i++) {
		enum rc rc = read_part(&results->items[i], &parts[i], e);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* The mapping's {outcome?, external_id?, detail?, items?, page?, cost?, results?} over what the table said. */
static enum rc run_answer_map(const struct operation_plan *plan, struct mediator *m, int status,
			      const struct json *json, struct str body, const struct json *deliveries,
			      struct arena *arena, struct pack_answer *out, struct err *e)
{
	char number[16];
	int n = snprintf(number, sizeof(number), "%d", status);
	struct json_member members[] = {
	    {STR("status"), {.type = JSON_NUMBER, .count = (uint32_t)n, .text = number}},
	    {STR("body"), json ? *json : (struct json){.type = JSON_NULL}},
	    {STR("text"), {.type = JSON_STRING, .count = (uint32_t)body.n, .text = body.p ? body.p : ""}},
	    {STR("batch"), deliveries ? *deliveries : (struct json){.type = JSON_NULL}},
	};
	struct json argument = {.type = JSON_OBJECT, .count = deliveries ? 4 : 3, .members = members};
	struct json *result;
	enum rc rc = mediator_call(m, plan->answer_map.map, plan->answer_map.name, &argument, arena, &result, e);
	if (rc != RC_OK)
		return rc;
	struct str outcome = json_get_text(result, "outcome"), external_id = json_text(json_get(result, "external_id"));
	struct str detail = json_get_text(result, "detail");
	const struct json *items = json_get(result, "items"), *page = json_get(result, "page");
	if (outcome.p && !outcome_parse(outcome, &out->outcome))
		return bad_outcome(outcome, e);
	out->external_id = external_id.p ? external_id : out->external_id;
	out->detail = detail.p ? shorten(detail) : out->detail;
	out->items = json_is(items, JSON_ARRAY) ? items : out->items;
	out->page = json_is(page, JSON_OBJECT) ? page : NULL;
	read_cost(json_get(result, "cost"), &out->cost);
	return read_parts(json_get(result, "results"), deliveries, arena, out, e);
}

static void no_answer(struct str detail, bool sent, struct pack_answer *out)
{
	out->outcome = sent ? OUTCOME_UNKNOWN : OUTCOME_TECHNICAL;
	out->detail = shorten(detail);
}

enum rc pack_classify(const struct pack *p, struct mediator *m, enum operation op, int status, struct str retry_after,
		      struct str body, bool sent, struct arena *arena, struct pack_answer *out, struct err *e)
{
	return pack_classify_batch(p, m, op, status, retry_after, body, sent, NULL, arena, out, e);
}

enum rc pack_classify_batch(const struct pack *p, struct mediator *m, enum operation op, int status,
			    struct str retry_after, struct str body, bool sent, const struct json *deliveries,
			    struct arena *arena, struct pack_answer *out, struct err *e)
{
	const struct operation_plan *plan = &pack_state(p)->plans[op];
	static const struct json none = {.type = JSON_ARRAY};
	*out = (struct pack_answer){0};
	if (status == 0) {
		no_answer(body, sent, out);
		return RC_OK;
	}
	const struct json *json = parse_answer(arena, body);
	out->outcome = find_outcome(plan, status, text_at(json, plan->code));
	read_retry_after(retry_after, out);
	out->external_id = text_at(json, plan->external_id);
	const struct json *stale = json && plan->stale.p ? pack_at(json, plan->stale) : NULL;
	if (json_is(stale, JSON_ARRAY))
		out->items = stale;
	else if (status == 412 && plan->stale.p)
		out->items = &none;
	if (out->outcome != OUTCOME_DELIVERED) {
		struct str detail = text_at(json, plan->detail);
		if (!detail.n)
			detail = json_get_text(json, "title");
		out->detail = shorten(detail.n || json ? detail : body);
	}
	return plan->answer_map.map ? run_answer_map(plan, m, status, json, body, deliveries, arena, out, e) : RC_OK;
}

static bool is_absent(const struct operation_plan *plan, int status)
{
	int64_t v;
	for (uint32_t i = 0; plan->absent && i < plan->absent->count; i++)
		if (json_int(&plan->absent->items[i], &v) && v == status)
			return true;
	return false;
}

/* The entry that is ours: with our id, or without any. */
static const struct json *find_entry(const struct operation_plan *plan, const struct json *json, struct str delivery_id)
{
	const struct json *list = pack_at(json, plan->lookup_list), *nameless = NULL;
	for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->count; i++) {
		struct str id = text_at(&list->items[i], plan->lookup_id);
		if (str_eq(id, delivery_id))
			return &list->items[i];
		if (!id.n && !nameless)
			nameless = &list->items[i];
	}
	return nameless;
}

enum rc pack_classify_lookup(const struct pack *p, struct mediator *m, enum operation op, struct str delivery_id,
			     int status, struct str body, struct arena *arena, bool *found, struct pack_answer *out,
			     struct err *e)
{
	(void)m;
	const struct operation_plan *plan = &pack_state(p)->plans[op];
	*out = (struct pack_answer){0};
	*found = false;
	if (status == 0) {
		no_answer(body, false, out);
		return RC_OK;
	}
	const struct json *json = parse_answer(arena, body);
	out->outcome =
	    is_absent(plan, status) ? OUTCOME_DELIVERED : find_outcome(plan, status, text_at(json, plan->code));
	if (out->outcome != OUTCOME_DELIVERED) {
		out->detail = shorten(text_at(json, plan->detail));
		return RC_OK;
	}
	if (is_absent(plan, status))
		return RC_OK;
	if (!json) {
		out->outcome = OUTCOME_TECHNICAL;
		out->detail = STR("the answer to the look-up is not JSON");
		return RC_OK;
	}
	const struct json *entry = json;
	if (plan->lookup_list.p)
		entry = find_entry(plan, json, delivery_id);
	*found = plan->lookup_list.p ? entry != NULL : pack_at(json, plan->found) != NULL;
	out->external_id = *found ? text_at(entry, plan->lookup_external_id) : STR_NONE;
	(void)e;
	return RC_OK;
}
