/*
 * Stock movements. A batch is answered item by item: one that is not valid gets its problem as its answer and the
 * others go on. A single movement that is not valid is refused before anything is taken.
 */
#include "base/compress.h"
#include "edge/exchange.h"
#include "edge/handlers.h"
#include "edge/items.h"

struct item {
	struct exchange *x;
	struct command *c;
	const struct json *doc;
	const char *at; /* "" or "/items/3" */
	struct command_movement *out;
};

static void item_problem(struct item *i, const struct problem *p)
{
	i->out->problem = items_problem(&i->c->arena, p, &i->out->problem_status);
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
	if (!items_find(x, doc, "movements", &items, &count)) {
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
		return items_answer(x, c, c->movements.items[0].problem, c->movements.items[0].problem_status);
	if (!room || compress(&c->arena, x->request->body, &c->document) != RC_OK) {
		err_set(&e, RC_LIMIT, "body_too_large", "The request needs too much memory.");
		return exchange_drop(x, c, &e);
	}
	c->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	return exchange_submit(x, c);
}
