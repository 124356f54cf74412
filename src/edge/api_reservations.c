/* Reservations. An array is answered item by item, as movements are. */
#include "edge/exchange.h"
#include "edge/handlers.h"
#include "edge/items.h"

/* One document of the request; problem: what is wrong with it. false: it is not valid. */
static bool read_one(struct exchange *x, struct command *c, const struct json *doc, const char *at,
		     struct command_hold *out, struct findings *f, struct problem *p)
{
	struct hold_request *r = &out->request;
	*p = (struct problem){.code = "validation_failed", .findings = f, .prefix = at};
	if (!json_is(doc, JSON_OBJECT)) {
		findings_add(f, "", "wrong_type", "A reservation is an object.");
		return false;
	}
	if (exchange_valid(x, "reservation", doc, f) != RC_OK)
		return false;
	if (hold_request_read(&c->arena, doc, x->tenant->sku_case, at, r, f) != RC_OK) {
		p->prefix = NULL; /* it is in the pointers already */
		return false;
	}
	if (!config_find_channel(x->tenant, r->channel)) {
		const char *detail = arena_printf(&c->arena, "There is no channel \"%.*s\".",
						  r->channel.n > 64 ? 64 : (int)r->channel.n, r->channel.p);
		*p = (struct problem){
		    .code = "unknown_channel", .where = "/channel", .prefix = at, .detail = str_from(detail)};
		return false;
	}
	if (!exchange_speaks_for(x, r->channel)) {
		*p = (struct problem){.code = "other_system", .detail = STR("The key speaks for another system.")};
		return false;
	}
	/* Without an id of the caller's there is nothing to compare with. */
	if (r->reservation_id.n)
		out->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	return true;
}

static bool read_all(struct exchange *x, struct command *c, const struct json *items, size_t count, bool array)
{
	if (!command_holds(c, count, array))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct command_hold *out = &c->holds.items[i];
		const char *at = array ? arena_printf(&c->arena, "/items/%zu", i) : "";
		struct findings f;
		struct problem p;
		if (!at)
			return false;
		findings_init(&f, &c->arena);
		if (!read_one(x, c, &items[i], at, out, &f, &p))
			out->problem = items_problem(&c->arena, &p, &out->problem_status);
	}
	return true;
}

enum server_next reservations_create(struct exchange *x)
{
	struct err e = ERR_NONE;
	const struct json *doc, *items;
	size_t count;
	struct command *c = exchange_command(x, COMMAND_HOLD);
	if (!c)
		return SERVER_ANSWERED;
	if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
		return exchange_drop(x, c, &e);
	if (!items_find(x, doc, "reservations", &items, &count)) {
		command_free(c);
		return SERVER_ANSWERED;
	}
	if (!read_all(x, c, items, count, items != doc)) {
		err_set(&e, RC_LIMIT, "body_too_large", "The request needs too much memory.");
		return exchange_drop(x, c, &e);
	}
	if (!c->holds.array && c->holds.items[0].problem.n)
		return items_answer(x, c, c->holds.items[0].problem, c->holds.items[0].problem_status);
	c->fingerprint = c->holds.items[0].fingerprint;
	return exchange_submit(x, c);
}

enum server_next reservations_commit(struct exchange *x)
{
	struct err e = ERR_NONE;
	struct findings f;
	const struct json *doc;
	struct command *c = exchange_command(x, COMMAND_HOLD_COMMIT);
	if (!c)
		return SERVER_ANSWERED;
	findings_init(&f, &c->arena);
	if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
		return exchange_drop(x, c, &e);
	if (exchange_valid(x, "reservation-commit", doc, &f) != RC_OK ||
	    hold_commit_read(&c->arena, doc, x->tenant->sku_case, &c->hold_commit, &f) != RC_OK) {
		exchange_invalid(x, &f);
		command_free(c);
		return SERVER_ANSWERED;
	}
	c->target = arena_copy(&c->arena, x->params[0]);
	c->order_id = json_get_text(doc, "order_id");
	c->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	return exchange_submit(x, c);
}

enum server_next reservations_void(struct exchange *x)
{
	struct command *c = exchange_command(x, COMMAND_HOLD_VOID);
	if (!c)
		return SERVER_ANSWERED;
	c->target = arena_copy(&c->arena, x->params[0]);
	return exchange_submit(x, c);
}

enum server_next reservations_get(struct exchange *x)
{
	return reading_one(x, query_reservation);
}
