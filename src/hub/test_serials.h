/*
 * For *_test.c only: the hub's test world with items that have serial numbers, and facts that name them. A test writes
 * documents with ' for ", and serial numbers as "S1 S2".
 */
#ifndef HUB_TEST_SERIALS_H
#define HUB_TEST_SERIALS_H

#include "hub/test_commands.h"
#include "orchestrate/stock/serial.h"

/* more: further members, ",'serial_level':'shipment'" */
static inline void record(const char *sku, const char *more)
{
	struct command *c = command_new(COMMAND_RECORD);
	struct json *doc = world_parse(c, world_text("{'sku':'%s','base_uom':'EA'%s}", sku, more));
	struct findings f;
	struct buf rules;

	findings_init(&f, &c->arena);
	c->record.type = STR("item");
	c->record.id = arena_copy(&c->arena, str_from(sku));
	assert_int_equal(item_record_read(&c->arena, doc, SKU_AS_IS, &c->record.item, &f), RC_OK);
	buf_init(&rules, 1u << 20);
	item_record_write(&rules, &c->record.item);
	c->record.rules = arena_copy(&c->arena, buf_str(&rules));
	buf_done(&rules);
	c->record.uom = STR("EA");
	c->source = STR("erp");
	assert_int_equal(do_command(c).status, 200);
}

/* "S1 S2" as a JSON array. */
static inline const char *array_of(const char *serials)
{
	const char *text = "", *p = serials;

	while (*p) {
		int n = (int)strcspn(p, " ");

		text = arena_printf(&world.arena, "%s%s\"%.*s\"", text, text[0] ? "," : "", n, p);
		p += n + (p[n] == ' ');
	}
	return arena_printf(&world.arena, "[%s]", text);
}

static int events_made;

/* minute: of occurred_at; quantity 0: as many as serials. */
struct fact {
	const char *type, *sku, *location, *serials, *line, *more;
	int minute, quantity;
};

static inline const char *fact_text(const char *id, struct fact f)
{
	int quantity = f.quantity;

	for (const char *p = f.serials; !f.quantity && p && *p; p++)
		quantity += p == f.serials || p[-1] == ' ';
	return arena_printf(&world.arena,
			    "{\"source\":\"wms\",\"source_event_id\":\"%s\",\"type\":\"%s\",\"occurred_at\":"
			    "\"2026-03-01T%02d:%02d:00Z\",\"lines\":[{\"sku\":\"%s\",\"location\":\"%s\",\"quantity\":"
			    "\"%d\"%s%s%s}]%s}",
			    id, f.type, 8 + f.minute / 60, f.minute % 60, f.sku ? f.sku : "TV",
			    f.location ? f.location : "east", quantity, f.serials ? ",\"serials\":" : "",
			    f.serials ? array_of(f.serials) : "", f.line ? world_text("%s", f.line) : "",
			    f.more ? world_text("%s", f.more) : "");
}

static inline const char *next_id(void)
{
	return arena_printf(&world.arena, "e-%d", ++events_made);
}

static inline struct reply tell(struct fact f)
{
	struct reply r = do_command(make_move_from(fact_text(next_id(), f)));

	assert_int_equal(r.status, 200);
	return r;
}

static inline struct command *make_reverse(const char *movement_id)
{
	return make_move_from(world_text("{'source':'wms','source_event_id':'%s','type':'reverse','occurred_at':"
					 "'2026-03-01T20:00:00Z','reverses':'%s'}",
					 next_id(), movement_id));
}

/* "in_stock east", "shipped east" */
static inline const char *where_of(const char *sku, const char *serial)
{
	const struct query_page page = {.limit = 10};
	const struct json *j = ASK(query_serial, str_from(sku), str_from(serial), &page);

	return arena_printf(&world.arena, "%s%s%s", world_at(j, "state"), json_get(j, "location") ? " " : "",
			    world_at(j, "location"));
}
#define assert_where(serial, where) assert_string_equal(where_of("TV", serial), where)

/* Kinds and serials of what was told, in order: "serial_in_stock:S1 serials_missing:" */
static inline const char *drifts(void)
{
	const struct str types[] = {STR("serial.drift")};
	struct query q = {world.hub, world.reader, &world.arena};
	struct err e = ERR_NONE;
	const char *text = "";
	int64_t last = 0;

	do {
		buf_reset(&world.out);
		enum rc rc = query_events(&q, last, types, 1, 1000, &world.out, &last, &e);
		const struct json *items = json_get(world_answer(rc, &e), "items");

		for (uint32_t i = 0; i < items->count; i++)
			text = arena_printf(&world.arena, "%s%s%s:%s", text, text[0] ? " " : "",
					    world_at(&items->items[i], "data/kind"),
					    world_at(&items->items[i], "data/serial"));
	} while (last < hub_position(world.hub));
	return text;
}

#define RECEIVED                                                                                                       \
	{                                                                                                              \
		"receive", NULL, NULL, "S1", NULL, NULL, 1, 0                                                          \
	}

#endif
