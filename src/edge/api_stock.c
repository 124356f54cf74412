/*
 * Stock movements. A batch is answered item by item: one that is not valid gets its problem as its answer and the
 * others go on. A single movement that is not valid is refused before anything is taken.
 */
#include "base/compress.h"
#include "edge/exchange.h"
#include "edge/handlers.h"

#include <stdio.h>

struct item {
	struct exchange *x;
	struct command *c;
	const struct json *doc;
	const char *at; /* "" or "/items/3" */
	struct command_movement *out;
};

/* The problem of an item that is not valid. */
static void item_problem(struct item *i, const struct problem *p)
{
	struct buf text;
	buf_init(&text, 256 * 1024);
	i->out->problem_status = problem_write(&text, p);
	i->out->problem = arena_copy(&i->c->arena, buf_str(&text));
	buf_done(&text);
}

static void item_read(struct item *i)
{
	struct findings f;
	findings_init(&f, &i->c->arena);
	struct movement *m = &i->out->movement;
	struct problem p = {.code = "validation_failed", .findings = &f, .prefix = i->at};
	if (!json_is(i->doc, JSON_OBJECT)) {
		findings_add(&f, "", "wrong_type", "A movement is an object.");
		item_problem(i, &p);
		return;
	}
	if (exchange_valid(i->x, "stock-movement", i->doc, &f) != RC_OK) {
		item_problem(i, &p);
		return;
	}
	if (movement_read(&i->c->arena, i->doc, i->x->tenant->sku_case, i->at, m, &f) != RC_OK) {
		p.prefix = NULL; /* it is in the pointers already */
		item_problem(i, &p);
		return;
	}
	if (!config_find_system(i->x->tenant, m->source)) {
		const char *detail = arena_printf(&i->c->arena, "There is no system \"%.*s\".",
						  m->source.n > 64 ? 64 : (int)m->source.n, m->source.p);
		item_problem(
		    i, &(struct problem){
			   .code = "unknown_source", .detail = str_from(detail), .where = "/source", .prefix = i->at});
	} else if (!exchange_speaks_for(i->x, m->source)) {
		item_problem(i, &(struct problem){.code = "other_system",
						  .where = "/source",
						  .prefix = i->at,
						  .detail = STR("The key speaks for another system.")});
	} else {
		i->out->fingerprint = json_fingerprint(i->doc, &command_fingerprint_key);
	}
}

/* The list of documents in the body; false: answered. */
static bool items_find(struct exchange *x, const struct json *doc, const struct json **items, size_t *count)
{
	const struct json *list = json_get(doc, "items");
	*items = doc;
	*count = 1;
	if (!list)
		return true;
	if (!json_is(list, JSON_ARRAY) || doc->count != 1) {
		exchange_wrong(x, "validation_failed", "/items",
			       "\"items\" is an array of movements and stands alone.");
		return false;
	}
	if (list->count == 0 || list->count > MOVEMENT_ITEMS_MAX) {
		exchange_wrong(x, list->count ? "too_many_items" : "validation_failed", "/items",
			       "A request holds 1 to %d movements.", MOVEMENT_ITEMS_MAX);
		return false;
	}
	*items = list->items;
	*count = list->count;
	return true;
}

static enum server_next answer_item(struct exchange *x, struct command *c, const struct command_movement *m)
{
	struct json *said = NULL;
	struct buf out;
	if (json_parse(x->request->arena, m->problem, NULL, &said, NULL) != RC_OK)
		said = NULL;
	buf_init(&out, 1 << 20);
	struct problem p = {.code = "validation_failed",
			    .status = m->problem_status,
			    .instance = x->request->path,
			    .correlation_id = x->correlation_id};
	int status = problem_complete(&out, &p, said);
	enum server_next next = exchange_answer(x, status, buf_str(&out), NULL, 0);
	buf_done(&out);
	command_free(c);
	return next;
}

enum server_next stock_move(struct exchange *x)
{
	struct err e = ERR_NONE;
	const struct json *doc, *items;
	size_t count;
	struct command *c = exchange_command(x, COMMAND_STOCK_MOVE);
	if (!c)
		return SERVER_ANSWERED;
	if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
		return exchange_drop(x, c, &e);
	if (!items_find(x, doc, &items, &count)) {
		command_free(c);
		return SERVER_ANSWERED;
	}
	c->movements.array = items != doc;
	c->movements.count = count;
	c->movements.items = arena_array(&c->arena, struct command_movement, count);
	bool room = c->movements.items != NULL;
	for (size_t i = 0; room && i < count; i++) {
		const char *at = c->movements.array ? arena_printf(&c->arena, "/items/%zu", i) : "";
		struct item item = {x, c, &items[i], at, &c->movements.items[i]};
		room = at != NULL;
		if (room)
			item_read(&item);
	}
	if (room && !c->movements.array && c->movements.items[0].problem.n)
		return answer_item(x, c, &c->movements.items[0]);
	if (!room || compress(&c->arena, x->request->body, &c->document) != RC_OK) {
		err_set(&e, RC_LIMIT, "body_too_large", "The request needs too much memory.");
		return exchange_drop(x, c, &e);
	}
	c->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	return exchange_submit(x, c);
}

/* ---- reservations ---- */

enum server_next reservations_create(struct exchange *x)
{
	struct err e = ERR_NONE;
	struct findings f;
	const struct json *doc;
	struct command *c = exchange_command(x, COMMAND_HOLD);
	if (!c)
		return SERVER_ANSWERED;
	findings_init(&f, &c->arena);
	if (exchange_document(x, &c->arena, &doc, &e) != RC_OK)
		return exchange_drop(x, c, &e);
	if (exchange_valid(x, "reservation", doc, &f) != RC_OK ||
	    hold_request_read(&c->arena, doc, x->tenant->sku_case, &c->hold, &f) != RC_OK) {
		exchange_invalid(x, &f);
	} else if (!config_find_channel(x->tenant, c->hold.channel)) {
		exchange_wrong(x, "unknown_channel", "/channel", "There is no channel \"%.64s\".",
			       arena_copy(&c->arena, c->hold.channel).p);
	} else if (!exchange_speaks_for(x, c->hold.channel)) {
		exchange_refuse(x, "other_system", "The key speaks for the system %s only.", x->principal.system);
	} else {
		c->target = c->hold.reservation_id;
		c->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
		if (compress(&c->arena, x->request->body, &c->document) == RC_OK)
			return exchange_submit(x, c);
		exchange_refuse(x, "body_too_large", "The request needs too much memory.");
	}
	command_free(c);
	return SERVER_ANSWERED;
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
	if (exchange_valid(x, "reservation-commit", doc, &f) != RC_OK) {
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
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_reservation(&r.query, x->params[0], &r.out, &e);
	return reading_end(x, &r, rc, &e);
}
