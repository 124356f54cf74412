#include "mediate/operation_policy.h"

#include "base/clock.h"

static const char *const priority_names[PRIORITIES] = {
    [PRIORITY_EXPEDITED] = "expedited",
    [PRIORITY_NORMAL] = "normal",
    [PRIORITY_BULK] = "bulk",
};

const char *delivery_priority_name(enum delivery_priority p)
{
	return priority_names[p];
}

static bool read_ms(const struct json *j, int64_t least, int64_t *out)
{
	int64_t ms;
	if (!j)
		return true;
	if (!duration_parse(json_text(j), &ms) || ms < least)
		return false;
	*out = ms;
	return true;
}

/* {base, max, give_up_after}, or a list of pauses. */
static const char *read_retry(const struct json *j, struct operation_policy *p)
{
	if (json_is(j, JSON_ARRAY)) {
		if (j->count > RETRY_DELAYS_MAX)
			return "at most 32 pauses";
		for (uint32_t i = 0; i < j->count; i++)
			if (!read_ms(&j->items[i], 1, &p->delays[i]))
				return "a pause is a duration of 1ms or more: 30s";
		p->delay_count = j->count;
		return NULL;
	}
	if (!json_is(j, JSON_OBJECT))
		return NULL;
	p->delay_count = 0;
	if (!read_ms(json_get(j, "base"), 1, &p->retry_base_ms) || !read_ms(json_get(j, "max"), 1, &p->retry_max_ms) ||
	    !read_ms(json_get(j, "give_up_after"), 1, &p->give_up_after_ms))
		return "base, max and give_up_after are durations of 1ms or more: 30s";
	if (p->retry_max_ms && p->retry_max_ms < p->retry_base_ms)
		return "max must not be less than base";
	return NULL;
}

/* "block", "latest_wins", {skip_after: N} */
static void read_on_failure(const struct json *j, struct operation_policy *p)
{
	struct str name = json_text(j);
	int64_t n = 0;
	if (json_is(j, JSON_OBJECT) && json_get(j, "skip_after") && json_int(json_get(j, "skip_after"), &n) && n > 0) {
		p->on_failure = ON_FAILURE_SKIP;
		p->skip_after = (uint32_t)n;
	} else if (str_is(name, "latest_wins")) {
		p->on_failure = ON_FAILURE_LATEST;
	} else if (str_is(name, "block")) {
		p->on_failure = ON_FAILURE_BLOCK;
	}
}

static const char *read_batch(const struct json *j, struct operation_policy *p)
{
	const struct json *count = json_get(j, "count"), *bytes = json_get(j, "bytes");
	int64_t n;
	if (!json_is(j, JSON_OBJECT))
		return NULL;
	if (count && json_int(count, &n))
		p->batch_count = (uint32_t)n;
	if (bytes && json_int(bytes, &n))
		p->batch_bytes = (uint32_t)n;
	return read_ms(json_get(j, "linger"), 0, &p->batch_linger_ms) ? NULL : "linger is a duration: 200ms";
}

bool operation_policy_read(const struct json *object, struct operation_policy *p, const char **member,
			   const char **detail)
{
	struct str priority = json_get_text(object, "priority");
	for (int i = 0; i < PRIORITIES; i++)
		if (str_is(priority, priority_names[i]))
			p->priority = (enum delivery_priority)i;
	if (json_get(object, "on_failure"))
		read_on_failure(json_get(object, "on_failure"), p);
	*member = "retry";
	*detail = json_get(object, "retry") ? read_retry(json_get(object, "retry"), p) : NULL;
	if (*detail)
		return false;
	*member = "batch";
	*detail = json_get(object, "batch") ? read_batch(json_get(object, "batch"), p) : NULL;
	return *detail == NULL;
}
