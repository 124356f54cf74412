#include "edge/exchange.h"
#include "edge/handlers.h"

#define QUERY_SKUS_MAX 500
#define POST_SKUS_MAX  10000

/* As the tenant spells its SKUs; empty when the request needs too much memory. */
static struct str spelled(const struct exchange *x, struct str sku)
{
	return sku_apply_case(x->request->arena, sku, x->tenant->sku_case);
}

static enum server_next answer(struct exchange *x, struct str channel, struct str *skus, size_t count)
{
	struct reading r;
	struct err e = ERR_NONE;
	if (!config_find_channel(x->tenant, channel))
		return exchange_refuse(x, "unknown_channel", "There is no channel \"%.64s\".",
				       arena_copy(x->request->arena, channel).p);
	for (size_t i = 0; i < count; i++) {
		struct str sku = skus[i];
		skus[i] = spelled(x, sku);
		if (skus[i].n < sku.n)
			return exchange_refuse(x, "body_too_large", "The request needs too much memory.");
	}
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_availability(&r.query, channel, skus, count, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next availability_get(struct exchange *x)
{
	struct str skus[QUERY_SKUS_MAX];
	struct parameter p[] = {{.name = "channel"}, {.name = "sku", .many = skus, .many_max = QUERY_SKUS_MAX}};
	struct err e = ERR_NONE;
	if (exchange_parameters(x, p, 2, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (!p[0].given || !p[1].given)
		return exchange_refuse(x, "bad_parameter", "\"channel\" and at least one \"sku\" are required.");
	return answer(x, p[0].value, skus, p[1].many_count);
}

enum server_next availability_query(struct exchange *x)
{
	struct err e = ERR_NONE;
	struct findings f;
	const struct json *doc;
	struct arena *a = x->request->arena;
	findings_init(&f, a);
	if (exchange_document(x, a, &doc, &e) != RC_OK)
		return exchange_fail(x, &e);
	if (exchange_valid(x, "availability-query", doc, &f) != RC_OK)
		return exchange_invalid(x, &f);
	const struct json *list = json_get(doc, "skus");
	struct str *skus =
	    json_is(list, JSON_ARRAY) && list->count <= POST_SKUS_MAX ? arena_array(a, struct str, list->count) : NULL;
	if (!skus)
		return exchange_wrong(x, "too_many_items", "/skus", "A query holds up to %d SKUs.", POST_SKUS_MAX);
	for (size_t i = 0; i < list->count; i++)
		skus[i] = json_text(&list->items[i]);
	return answer(x, json_get_text(doc, "channel"), skus, list->count);
}

enum server_next stock_get(struct exchange *x)
{
	struct reading r;
	struct err e = ERR_NONE;
	if (!reading_begin(x, &r))
		return SERVER_ANSWERED;
	enum rc rc = query_stock(&r.query, spelled(x, x->params[0]), &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next stock_movements(struct exchange *x)
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 2, &r, &page))
		return SERVER_ANSWERED;
	enum rc rc = query_movements(&r.query, spelled(x, x->params[0]), &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next stock_serials(struct exchange *x)
{
	struct parameter p[] = {
	    {.name = "limit"}, {.name = "cursor"}, {.name = "location"}, {.name = "state"}, {.name = "serial"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 5, &r, &page))
		return SERVER_ANSWERED;
	const struct query_serials by = {p[2].value, p[3].value, p[4].value};
	enum rc rc = query_serials(&r.query, spelled(x, x->params[0]), &by, &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}

enum server_next stock_serial(struct exchange *x)
{
	struct parameter p[] = {{.name = "limit"}, {.name = "cursor"}};
	struct reading r;
	struct query_page page;
	struct err e = ERR_NONE;
	if (!reading_begin_page(x, p, 2, &r, &page))
		return SERVER_ANSWERED;
	enum rc rc = query_serial(&r.query, spelled(x, x->params[0]), x->params[1], &page, &r.out, &e);
	return reading_end(x, &r, rc, &e);
}
