/* How one system is delivered to: the members of `delivery`. */
#include "base/clock.h"
#include "hub/config_load.h"

static const char *member(struct config_loader *l, const char *pointer, const char *name)
{
	const char *at = arena_printf(l->findings->arena, "%s/%s", pointer, name);
	return at ? at : pointer;
}

/* "40/s" */
static void read_rate(const struct json *delivery, const char *name, struct config_rate *out)
{
	struct str text = json_get_text(delivery, name);
	uint32_t count = 0;
	size_t i = 0;

	if (!text.n)
		return;
	for (; i < text.n && i < 7 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		count = count * 10 + (uint32_t)(text.p[i] - '0');
	struct str per = {text.p + i, text.n - i};
	int64_t per_ms = str_is(per, "/s") ? 1000 : str_is(per, "/m") ? 60000 : str_is(per, "/h") ? 3600000 : 0;
	if (count && per_ms)
		*out = (struct config_rate){count, per_ms};
}

static void read_breaker(const struct json *breaker, struct config_breaker *b)
{
	struct str failures = json_get_text(breaker, "failures");
	uint32_t percent = 0;

	config_read_duration(breaker, "window", &b->window_ms);
	config_read_u32(breaker, "samples", &b->samples);
	config_read_duration(breaker, "open", &b->open_ms);
	config_read_u32(breaker, "probes", &b->probes);
	for (size_t i = 0; i < failures.n && i < 3 && failures.p[i] >= '0' && failures.p[i] <= '9'; i++)
		percent = percent * 10 + (uint32_t)(failures.p[i] - '0');
	if (percent)
		b->percent = percent;
}

static void read_backlog(const struct json *backlog, struct config_backlog *b)
{
	const struct json *bytes = json_get(backlog, "bytes");

	config_read_u32(backlog, "count", &b->count);
	if (json_is(bytes, JSON_NUMBER))
		(void)json_int(bytes, &b->bytes);
	config_read_duration(backlog, "age", &b->age_ms);
	if (json_get(backlog, "on_full"))
		b->refuse = str_is(json_get_text(backlog, "on_full"), "refuse");
}

/* ---- maintenance ---- */

static uint8_t read_days(const struct json *days)
{
	static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	uint8_t out = 0;

	for (uint32_t i = 0; json_is(days, JSON_ARRAY) && i < days->count; i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (str_is(json_text(&days->items[i]), names[k]))
				out |= (uint8_t)(1u << k);
	return out;
}

/* "22:00" to minutes; "24:00" is the end of a day. */
static bool read_minute(struct str t, int16_t *out)
{
	if (t.n != 5 || t.p[2] != ':')
		return false;
	for (size_t i = 0; i < 5; i++)
		if (i != 2 && (t.p[i] < '0' || t.p[i] > '9'))
			return false;
	int hour = (t.p[0] - '0') * 10 + t.p[1] - '0', minute = (t.p[3] - '0') * 10 + t.p[4] - '0';
	*out = (int16_t)(hour * 60 + minute);
	return minute < 60 && *out <= 1440;
}

static bool read_window(struct config_loader *l, const struct json *j, struct calendar_window *w, const char **problem)
{
	struct str from = json_get_text(j, "from"), to = json_get_text(j, "to"), name = json_get_text(j, "zone");
	struct err e = ERR_NONE;

	*w = (struct calendar_window){.days = read_days(json_get(j, "days"))};
	if (!w->days) {
		*problem = "Without days a window is from one instant to a later one: 2026-12-24T18:00:00Z.";
		return !name.n && time_parse(from, &w->from_ms, NULL) == RC_OK &&
		       time_parse(to, &w->to_ms, NULL) == RC_OK && w->from_ms < w->to_ms;
	}
	*problem = "With days a window is from one time of the day to another: 22:00.";
	if (!read_minute(from, &w->from_min) || !read_minute(to, &w->to_min) || w->from_min == 1440)
		return false;
	*problem = "There is no such time zone in the system's time zone database.";
	return zone_load(l->arena, name.n ? name : STR("UTC"), &w->zone, &e) == RC_OK;
}

static void read_maintenance(struct config_loader *l, const struct json *list, const char *pointer,
			     struct calendar *out)
{
	if (!json_is(list, JSON_ARRAY))
		return;
	struct calendar_window *windows = arena_array(l->arena, struct calendar_window, list->count);
	*out = (struct calendar){windows, 0};
	for (uint32_t i = 0; windows && i < list->count; i++) {
		const char *problem;
		if (read_window(l, &list->items[i], &windows[out->count], &problem))
			out->count++;
		else
			config_finding(l, &list->items[i], pointer, "bad_maintenance", "%s", problem);
	}
}

/* ---- all of it ---- */

void config_read_delivery(struct config_loader *l, const struct json *delivery, const char *pointer,
			  struct config_delivery *d)
{
	config_read_u32(delivery, "slots", &d->slots);
	config_read_duration(delivery, "retry_base", &d->retry_base_ms);
	config_read_duration(delivery, "retry_max", &d->retry_max_ms);
	config_read_duration(delivery, "give_up_after", &d->give_up_after_ms);
	config_read_duration(delivery, "confirm_after", &d->confirm_after_ms);
	config_read_duration(delivery, "timeout", &d->timeout_ms);
	config_read_u32(delivery, "queue", &d->queue_max);
	read_rate(delivery, "rate", &d->rate);
	config_read_u32(delivery, "burst", &d->burst);
	read_rate(delivery, "catch_up_rate", &d->catch_up_rate);
	read_breaker(json_get(delivery, "breaker"), &d->breaker);
	read_backlog(json_get(delivery, "backlog"), &d->backlog);
	read_maintenance(l, json_get(delivery, "maintenance"), member(l, pointer, "maintenance"), &d->maintenance);
	if (delivery && (d->retry_base_ms < 1 || d->retry_max_ms < d->retry_base_ms))
		config_finding(l, delivery, pointer, "bad_retry",
			       "retry_base must be 1ms or more, and retry_max not less than retry_base.");
	if (delivery && (d->breaker.window_ms < 1 || d->breaker.open_ms < 1))
		config_finding(l, delivery, member(l, pointer, "breaker"), "bad_breaker",
			       "window and open must be 1ms or more.");
}

/* ---- operations ---- */

/* Order is kept among the deliveries of a key that have one priority. */
static bool same_priority(const struct operation_policy *all)
{
	static const enum operation about_orders[] = {OP_ORDER_CANCEL, OP_SHIPMENT_REQUEST, OP_ORDER_STATUS,
						      OP_SHIPMENT};
	bool same = true;

	for (size_t i = 0; i < sizeof(about_orders) / sizeof(about_orders[0]); i++)
		same = same && all[about_orders[i]].priority == all[OP_ORDER_POST].priority;
	return same;
}

static void overlay(struct config_loader *l, const struct pack *p, const struct json *from, const char *pointer,
		    bool own, struct operation_policy *all)
{
	for (uint32_t i = 0; json_is(from, JSON_OBJECT) && i < from->count; i++) {
		const struct json_member *m = &from->members[i];
		const char *what, *detail;
		enum operation op;

		if (!operation_parse(m->name, &op) || OP_IS_EVENT(op)) {
			config_finding(l, &m->value, pointer, "unknown_operation",
				       "There is no operation '" STR_FMT "'.", STR_ARG(m->name));
			continue;
		}
		if (!operation_policy_read(&m->value, &all[op], &what, &detail))
			config_finding(l, &m->value, pointer, "bad_operation", "%s: %s.", what, detail);
		if (all[op].batch_count < 2 || p->operations[op].policy.batch_count > 1)
			continue;
		all[op].batch_count = 0;
		if (own)
			config_finding(l, &m->value, pointer, "not_batched",
				       "The connector '" STR_FMT "' cannot send several deliveries of '" STR_FMT
				       "' in one request.",
				       STR_ARG(p->name), STR_ARG(m->name));
	}
}

const struct operation_policy *config_read_operations(struct config_loader *l, const struct pack *p,
						      const struct json *tenant, const struct json *system,
						      const char *pointer)
{
	struct operation_policy *all = arena_array(l->arena, struct operation_policy, OPERATIONS);

	if (!all)
		return NULL;
	for (int op = 0; op < OPERATIONS; op++) {
		all[op] = p->operations[op].policy;
		if (!p->operations[op].present)
			all[op].priority = operation_priority((enum operation)op);
	}
	overlay(l, p, tenant, pointer, false, all);
	overlay(l, p, system, pointer, true, all);
	if (!same_priority(all))
		config_finding(l, system ? system : tenant, pointer, "mixed_priorities",
			       "What is about one order keeps its order: order.post, order.cancel, shipment.request, "
			       "order.status and shipment have one priority.");
	return all;
}
