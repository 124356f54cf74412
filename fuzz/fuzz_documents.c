/*
 * A canonical document as the edge takes it: its type, a line end, the JSON. What its schema allows is read into the
 * struct that the hub works with, or refused with findings; an item's record is written and read again as the same.
 */
#include "hub/config.h"
#include "model/item.h"
#include "model/movement.h"
#include "model/order.h"
#include "model/texts.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct schema_registry *schemas(void)
{
	static struct schema_registry *registry;

	if (!registry && config_schemas("/nowhere", CD_SOURCE_DIR, &registry, NULL) != RC_OK)
		abort();
	return registry;
}

static enum rc read_as_order(struct arena *a, const struct json *doc, struct findings *f)
{
	struct order o;
	enum rc rc = order_read(a, doc, SKU_UPPER, &o, f);

	for (size_t i = 0; rc == RC_OK && i < o.line_count; i++)
		assert(o.lines[i].quantity > 0 && o.lines[i].sku.n && o.lines[i].line_id.n);
	return rc;
}

static void check_lines(const struct movement *m)
{
	for (size_t i = 0; i < m->line_count; i++)
		assert(m->lines[i].sku.n && m->lines[i].quantity <= QTY_MAX && m->lines[i].quantity >= -QTY_MAX);
}

static enum rc read_as_movement(struct arena *a, const struct json *doc, struct findings *f)
{
	struct movement m;
	enum rc rc = movement_read(a, doc, SKU_LOWER, "", &m, f);

	if (rc == RC_OK)
		check_lines(&m);
	return rc;
}

static enum rc read_as_count(struct arena *a, const struct json *doc, struct findings *f)
{
	struct movement m;
	enum rc rc = stock_count_read(a, doc, SKU_AS_IS, "/count", &m, f);

	if (rc == RC_OK)
		check_lines(&m);
	return rc;
}

static enum rc read_as_shipment(struct arena *a, const struct json *doc, struct findings *f)
{
	struct shipment s;

	return shipment_read(a, doc, SKU_AS_IS, "", &s, f);
}

static enum rc read_as_hold(struct arena *a, const struct json *doc, struct findings *f)
{
	struct hold_request h;

	return hold_request_read(a, doc, SKU_AS_IS, "", &h, f);
}

static enum rc read_as_commit(struct arena *a, const struct json *doc, struct findings *f)
{
	struct hold_commit c;

	return hold_commit_read(a, doc, SKU_AS_IS, &c, f);
}

static enum rc read_as_item(struct arena *a, const struct json *doc, struct findings *f)
{
	struct item_record r, again;
	struct findings none;
	struct json *parsed;
	struct buf first, second;
	enum rc rc = item_record_read(a, doc, SKU_UPPER, &r, f);

	if (rc != RC_OK)
		return rc;
	buf_init(&first, 4u << 20);
	buf_init(&second, 4u << 20);
	item_record_write(&first, &r);
	assert(buf_ok(&first));
	if (buf_str(&first).n) {
		findings_init(&none, a);
		rc = json_parse(a, buf_str(&first), NULL, &parsed, NULL);
		assert(rc == RC_OK);
		rc = item_record_read(a, parsed, SKU_UPPER, &again, &none);
		assert(rc == RC_OK);
		item_record_write(&second, &again);
		assert(str_eq(buf_str(&first), buf_str(&second)));
	}
	buf_done(&first);
	buf_done(&second);
	return RC_OK;
}

static const struct {
	const char *type;
	enum rc (*read)(struct arena *a, const struct json *doc, struct findings *f);
} types[] = {
    {"order", read_as_order},       {"stock-movement", read_as_movement}, {"stock-count", read_as_count},
    {"shipment", read_as_shipment}, {"reservation", read_as_hold},        {"reservation-commit", read_as_commit},
    {"item", read_as_item},
};

static void judge(struct arena *a, struct str type, const struct json *doc)
{
	struct findings f;

	findings_init(&f, a);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		enum rc rc;

		if (!str_is(type, types[i].type))
			continue;
		if (schema_validate(schema_find(schemas(), types[i].type, 1), doc, SCHEMA_STRICT, &f, NULL) != RC_OK ||
		    texts_check(doc, &f) != RC_OK)
			return;
		rc = types[i].read(a, doc, &f);
		assert(rc == RC_OK || rc == RC_INVALID);
		assert((rc == RC_OK) == (f.count == 0));
		for (size_t n = 0; n < f.count; n++)
			assert(f.list[n].code[0] && f.list[n].detail[0]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	const char *end = size ? memchr(data, '\n', size) : NULL;
	struct json *doc;
	struct arena a;

	if (!end)
		return 0;
	arena_init(&a, 64u << 20);
	struct str type = {text.p, (size_t)(end - text.p)}, json = {end + 1, size - type.n - 1};
	if (json_parse(&a, json, NULL, &doc, NULL) == RC_OK)
		judge(&a, type, doc);
	arena_done(&a);
	return 0;
}
