#include "edge/items.h"

struct str items_problem(struct arena *a, const struct problem *p, int *status)
{
	struct buf text;
	struct str out;
	buf_init(&text, 256 * 1024);
	*status = problem_write(&text, p);
	out = arena_copy(a, buf_str(&text));
	buf_done(&text);
	return out;
}

bool items_find(struct exchange *x, const struct json *doc, const char *what, const struct json **items, size_t *count)
{
	const struct json *list = json_get(doc, "items");
	*items = doc;
	*count = 1;
	if (!list)
		return true;
	if (!json_is(list, JSON_ARRAY) || doc->count != 1) {
		exchange_wrong(x, "validation_failed", "/items", "\"items\" is an array of %s and stands alone.", what);
		return false;
	}
	if (list->count == 0 || list->count > ITEMS_MAX) {
		exchange_wrong(x, list->count ? "too_many_items" : "validation_failed", "/items",
			       "A request holds 1 to %d %s.", ITEMS_MAX, what);
		return false;
	}
	*items = list->items;
	*count = list->count;
	return true;
}

enum server_next items_answer(struct exchange *x, struct command *c, struct str problem, int status)
{
	struct json *said = NULL;
	struct buf out;
	if (json_parse(x->request->arena, problem, NULL, &said, NULL) != RC_OK)
		said = NULL;
	buf_init(&out, 1 << 20);
	struct problem p = {.code = "validation_failed",
			    .status = status,
			    .instance = x->request->path,
			    .correlation_id = x->correlation_id};
	int answered = problem_complete(&out, &p, said);
	enum server_next next = exchange_answer(x, answered, buf_str(&out), NULL, 0);
	buf_done(&out);
	command_free(c);
	return next;
}
