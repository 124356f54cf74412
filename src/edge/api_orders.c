#include "base/compress.h"
#include "edge/exchange.h"
#include "edge/handlers.h"

/* Reads the order into the command. false: answered, and the command is gone. */
static bool order_fill(struct exchange *x, struct command *c, const struct json *doc)
{
	struct findings f;
	findings_init(&f, &c->arena);
	if (exchange_valid(x, "order", doc, &f) != RC_OK ||
	    order_read(&c->arena, doc, x->tenant->sku_case, &c->order, &f) != RC_OK) {
		exchange_invalid(x, &f);
	} else if (!config_find_channel(x->tenant, c->order.channel)) {
		exchange_wrong(x, "unknown_channel", "/channel", "There is no channel \"%.64s\".",
			       arena_copy(&c->arena, c->order.channel).p);
	} else if (!exchange_speaks_for(x, c->order.channel)) {
		exchange_refuse(x, "other_system", "The key speaks for the system %s only.", x->principal.system);
	} else {
		return true;
	}
	command_free(c);
	return false;
}

enum server_next orders_capture(struct exchange *x)
{
	struct err e = ERR_NONE;
	const struct json *doc;
	struct command *c = exchange_orders_refused(x) ? NULL : exchange_command(x, COMMAND_ORDER_CAPTURE);
	if (!c)
		return SERVER_ANSWERED;
	if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
		return exchange_drop(x, c, &e);
	if (!order_fill(x, c, doc))
		return SERVER_ANSWERED;
	c->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	if (compress(&c->arena, x->request->body, &c->document) != RC_OK) {
		err_set(&e, RC_LIMIT, "body_too_large", "The order needs too much memory.");
		return exchange_drop(x, c, &e);
	}
	return exchange_submit(x, c);
}

enum server_next orders_cancel(struct exchange *x)
{
	struct err e = ERR_NONE;
	const struct json *doc = NULL;
	struct command *c = exchange_command(x, COMMAND_ORDER_CANCEL);
	if (!c)
		return SERVER_ANSWERED;
	c->target = arena_copy(&c->arena, x->params[0]);
	c->order_id = c->target;
	if (x->request->body.n) {
		struct findings f;
		findings_init(&f, &c->arena);
		if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
			return exchange_drop(x, c, &e);
		bool good = exchange_valid(x, "order-cancel", doc, &f) == RC_OK;
		struct str named = json_get_text(doc, "order_id");
		if (good && named.n && !str_eq(named, c->target)) {
			findings_add(&f, "/order_id", "contradiction", "The order is named by the address.");
			good = false;
		}
		if (!good)
			exchange_invalid(x, &f);
		else if (json_get(doc, "lines"))
			exchange_wrong(x, "partial_cancel", "/lines", "Only a whole order can be cancelled.");
		if (!good || json_get(doc, "lines")) {
			command_free(c);
			return SERVER_ANSWERED;
		}
		c->reason = json_get_text(doc, "reason");
		c->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	}
	return exchange_submit(x, c);
}

enum server_next orders_get(struct exchange *x)
{
	return reading_one(x, query_order);
}

enum server_next orders_timeline(struct exchange *x)
{
	return reading_one(x, query_timeline);
}

enum server_next orders_list(struct exchange *x)
{
	enum { CHANNEL, EXTERNAL_ID, STATUS, PLACED_AFTER, LIMIT, CURSOR, COUNT };
	struct parameter p[COUNT] = {{.name = "channel"},      {.name = "external_id"}, {.name = "status"},
				     {.name = "placed_after"}, {.name = "limit"},       {.name = "cursor"}};
	struct query_orders filter = {0};
	struct err e = ERR_NONE;
	struct reading r;
	int64_t limit;
	if (exchange_parameters(x, p, COUNT, &e) != RC_OK ||
	    parameter_int(&p[LIMIT], 1, 1000, 100, &limit, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (p[PLACED_AFTER].given && time_parse(p[PLACED_AFTER].value, &filter.placed_after, &e) != RC_OK)
		return exchange_refuse(x, "bad_parameter", "\"placed_after\" is not an RFC 3339 instant.");
	filter.channel = p[CHANNEL].value;
	filter.external_id = p[EXTERNAL_ID].value;
	filter.status = p[STATUS].value;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	const struct query_page page = {(uint32_t)limit, p[CURSOR].value};
	enum rc rc = query_orders(&r.query, &filter, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}
