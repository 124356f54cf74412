/* Orders: the captured document with what has become of it since. */
#include "hub/query_parts.h"
#include "orchestrate/order/order.h"
#include "orchestrate/order/progress.h"

#define DOCUMENT_LIMITS ((struct json_limits){.bytes = DOCUMENT_BYTES_MAX, .depth = 64, .nodes = 1u << 20})

static const char *const quantity_names[] = {"ordered", "reserved", "backordered", "released",
					     "shipped", "invoiced", "returned",    "cancelled"};

/* What the order is made of besides the document; these win over members of the same name. */
static const char *const own_names[] = {"order_id", "channel",        "external_id",  "status",
					"lines",    "correlation_id", "external_ids", "stage_since"};

static const char *const more_names[] = {"substitute", "components", "allocations"};

static bool is_own(struct str name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static qty_t quantity(const struct json *line, const char *name)
{
	qty_t q = 0;
	struct str text = json_get_text(line, name);
	return text.n && qty_parse(text, &q, NULL) == RC_OK ? q : 0;
}

static const char *line_status(const struct json *line, enum order_status order)
{
	qty_t ordered = quantity(line, "ordered"), shipped = quantity(line, "shipped");
	qty_t cancelled = quantity(line, "cancelled"), released = quantity(line, "released");

	if (order == ORDER_REJECTED)
		return "rejected";
	if (ordered > 0 && cancelled >= ordered)
		return "cancelled";
	if (shipped > 0)
		return shipped + cancelled >= ordered ? "shipped" : "partially_shipped";
	if (quantity(line, "backordered") > 0)
		return "backordered";
	if (released > 0)
		return "released";
	if (quantity(line, "reserved") > 0)
		return "reserved";
	return order == ORDER_ON_HOLD ? "on_hold" : "captured";
}

static const struct json *find_line(const struct json *lines, struct str line_id)
{
	for (uint32_t i = 0; json_is(lines, JSON_ARRAY) && i < lines->count; i++)
		if (str_eq(json_get_text(&lines->items[i], "line_id"), line_id))
			return &lines->items[i];
	return NULL;
}

/* Lines of the progress, each with what the document says of it. Both have them in the same order, nearly always. */
static void write_lines(struct json_writer *w, const struct json *progress, const struct json *document,
			enum order_status status)
{
	const struct json *lines = json_get(progress, "lines"), *asked = json_get(document, "lines");

	jw_key(w, "lines");
	jw_array(w);
	for (uint32_t i = 0; json_is(lines, JSON_ARRAY) && i < lines->count; i++) {
		const struct json *line = &lines->items[i];
		struct str id = json_get_text(line, "line_id");
		const struct json *said = json_is(asked, JSON_ARRAY) && i < asked->count ? &asked->items[i] : NULL;
		if (!str_eq(json_get_text(said, "line_id"), id))
			said = find_line(asked, id);
		jw_object(w);
		jw_key_text(w, "line_id", id);
		jw_key_text(w, "sku", json_get_text(line, "sku"));
		jw_key_text(w, "status", str_from(line_status(line, status)));
		for (size_t k = 0; k < sizeof(quantity_names) / sizeof(quantity_names[0]); k++)
			jw_key_qty(w, quantity_names[k], quantity(line, quantity_names[k]));
		for (size_t k = 0; k < sizeof(more_names) / sizeof(more_names[0]); k++) {
			if (!json_get(line, more_names[k]))
				continue;
			jw_key(w, more_names[k]);
			jw_value(w, json_get(line, more_names[k]));
		}
		for (uint32_t k = 0; json_is(said, JSON_OBJECT) && k < said->count; k++) {
			struct str name = said->members[k].name;
			if (str_is(name, "line_id") || str_is(name, "sku") || str_is(name, "status") ||
			    is_own(name, more_names, sizeof(more_names) / sizeof(more_names[0])) ||
			    is_own(name, quantity_names, sizeof(quantity_names) / sizeof(quantity_names[0])))
				continue;
			jw_key_str(w, name);
			jw_value(w, &said->members[k].value);
		}
		jw_object_end(w);
	}
	jw_array_end(w);
}

/* row: as R_ORDER. The head is what lists show; the object is left open. */
static void write_head(struct json_writer *w, const struct store_value *row)
{
	jw_object(w);
	jw_key_text(w, "order_id", row[1].bytes);
	jw_key_text(w, "channel", row[2].bytes);
	jw_key_text(w, "external_id", row[3].bytes);
	jw_key_text(w, "status", str_from(order_status_name((enum order_status)row[4].integer)));
	jw_key_time(w, "stage_since", row[5].integer);
	jw_key_text(w, "correlation_id", row[9].bytes);
}

enum rc query_order(struct query *q, struct str order_id, struct buf *out, struct err *e)
{
	struct store_value row[12];
	struct json *document, *progress;
	struct json_limits limits = DOCUMENT_LIMITS;
	struct json_writer w;
	struct str text;

	enum rc rc = query_one(q, R_ORDER, SV_TEXT(order_id), "order_not_found", "order", row, e);
	if (rc == RC_OK)
		rc = document_load(q->reader, q->arena, row[10].integer, &text, e);
	if (rc == RC_OK)
		rc = json_parse(q->arena, text, &limits, &document, e);
	if (rc == RC_OK)
		rc = order_progress_read(q->arena, row[11].bytes, &progress, e);
	if (rc != RC_OK)
		return rc;
	jw_init(&w, out);
	write_head(&w, row);
	const struct json *external = json_get(progress, "external_ids");
	if (external) {
		jw_key(&w, "external_ids");
		jw_value(&w, external);
	}
	for (uint32_t i = 0; json_is(document, JSON_OBJECT) && i < document->count; i++) {
		struct str name = document->members[i].name;
		if (is_own(name, own_names, sizeof(own_names) / sizeof(own_names[0])))
			continue;
		jw_key_str(&w, name);
		jw_value(&w, &document->members[i].value);
	}
	write_lines(&w, progress, document, (enum order_status)row[4].integer);
	jw_object_end(&w);
	return query_done(out, e);
}

struct order_filter {
	const struct query_orders *f;
	bool has_status;
	enum order_status status;
};

static bool order_matches(void *ctx, const struct store_value *row)
{
	const struct order_filter *f = ctx;
	return (!f->f->channel.n || str_eq(row[2].bytes, f->f->channel)) &&
	       (!f->f->external_id.n || str_eq(row[3].bytes, f->f->external_id)) &&
	       (!f->has_status || row[4].integer == (int64_t)f->status) &&
	       (!f->f->placed_after || row[6].integer > f->f->placed_after);
}

static enum rc write_order_row(void *ctx, struct json_writer *w, const struct store_value *row, struct err *e)
{
	(void)ctx;
	(void)e;
	write_head(w, row);
	jw_key_time(w, "placed_at", row[6].integer);
	jw_key_text(w, "currency", row[7].bytes);
	if (row[8].bytes.n) {
		jw_key(w, "customer");
		jw_object(w);
		jw_key_text(w, "external_id", row[8].bytes);
		jw_object_end(w);
	}
	jw_object_end(w);
	return RC_OK;
}

/* Channel and external id name one order, which the dedup keys know. */
static enum rc orders_by_external(struct query *q, struct order_filter *f, struct buf *out, struct err *e)
{
	struct store_value row[12];
	struct json_writer w;

	enum rc rc = hub_find_order(q->hub, q->reader, f->f->channel, f->f->external_id, q->arena, row, e);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	rc = rc == RC_OK && order_matches(f, row) ? write_order_row(NULL, &w, row, e) : RC_OK;
	return rc == RC_OK ? query_end(&w, STR_NONE, out, e) : rc;
}

enum rc query_orders(struct query *q, const struct query_orders *f, const struct query_page *p, struct buf *out,
		     struct err *e)
{
	struct order_filter filter = {.f = f, .has_status = f->status.n > 0};
	struct query_list list = {
	    .statement = R_ORDERS_BEFORE, .match = order_matches, .write = write_order_row, .ctx = &filter};

	if (filter.has_status && !order_status_parse(f->status, &filter.status))
		return err_set(e, RC_INVALID, "unknown_status", "There is no order status '" STR_FMT "'.",
			       STR_ARG(f->status));
	if (f->channel.n && f->external_id.n)
		return orders_by_external(q, &filter, out, e);
	return query_list(q, &list, p, out, e);
}
