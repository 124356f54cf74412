#include "connect/canonical.h"

#include "base/compress.h"

#include <stdio.h>

#define REASON_MAX 2000

static struct command *command_of(const struct canonical_origin *o, enum command_type type)
{
	struct command *c = command_new(type);
	c->correlation_id = arena_copy(&c->arena, o->correlation_id);
	c->source = arena_copy(&c->arena, o->source);
	c->message_seq = o->message_seq;
	c->message_item = o->item;
	c->message_items = o->items;
	return c;
}

static enum rc keep_document(struct command *c, const struct json *document)
{
	struct buf text;
	buf_init(&text, DOCUMENT_BYTES_MAX);
	json_write(&text, document);
	c->fingerprint = json_fingerprint(document, &command_fingerprint_key);
	enum rc rc = buf_ok(&text) ? compress(&c->arena, buf_str(&text), &c->document) : RC_LIMIT;
	buf_done(&text);
	return rc;
}

struct str canonical_reason(struct arena *a, struct str type, const struct findings *f)
{
	struct buf b;
	buf_init(&b, REASON_MAX + 1024);
	buf_add_str(&b, type);
	buf_add_z(&b, ": ");
	for (size_t i = 0; i < f->count && b.n < REASON_MAX; i++) {
		const struct finding *one = &f->list[i];
		buf_printf(&b, "%s%s: %s (%s)", i ? "; " : "", one->pointer, one->detail, one->code);
	}
	if (f->more)
		buf_printf(&b, "; and %zu more", f->more);
	struct str out = arena_copy(a, buf_str(&b));
	buf_done(&b);
	return out;
}

struct command *canonical_dead(const struct canonical_origin *o, struct str reason, const struct json *document)
{
	struct command *c = command_of(o, COMMAND_MESSAGE_DEAD);
	c->reason = arena_copy(&c->arena, reason);
	if (document && keep_document(c, document) != RC_OK)
		c->document = STR_NONE;
	return c;
}

/* ---- by type ---- */

static enum rc read_order_command(struct command *c, const struct canonical_origin *o, const struct json *doc,
				  struct findings *f)
{
	enum rc rc = order_read(&c->arena, doc, o->tenant->sku_case, &c->order, f);
	if (rc == RC_OK && !c->order.channel.n)
		c->order.channel = c->source;
	return rc;
}

typedef enum rc (*read_one_fn)(struct arena *a, const struct json *doc, enum sku_case rule, const char *at,
			       struct movement *out, struct findings *f);

static enum rc read_one_movement(struct command *c, const struct canonical_origin *o, const struct json *doc,
				 struct findings *f, read_one_fn read)
{
	c->movements.items = arena_new(&c->arena, struct command_movement);
	if (!c->movements.items)
		return RC_LIMIT;
	c->movements.count = 1;
	struct command_movement *one = &c->movements.items[0];
	enum rc rc = read(&c->arena, doc, o->tenant->sku_case, "", &one->movement, f);
	one->movement.source = c->source; /* a system speaks for itself only */
	one->fingerprint = json_fingerprint(doc, &command_fingerprint_key);
	return rc;
}

static enum rc read_movement_command(struct command *c, const struct canonical_origin *o, const struct json *doc,
				     struct findings *f)
{
	return read_one_movement(c, o, doc, f, movement_read);
}

static enum rc read_count_command(struct command *c, const struct canonical_origin *o, const struct json *doc,
				  struct findings *f)
{
	return read_one_movement(c, o, doc, f, stock_count_read);
}

static enum rc read_shipment_command(struct command *c, const struct canonical_origin *o, const struct json *doc,
				     struct findings *f)
{
	enum rc rc = shipment_read(&c->arena, doc, o->tenant->sku_case, "", &c->shipment, f);
	c->shipment.movement.source = c->source;
	return rc;
}

static enum rc read_cancel_command(struct command *c, const struct canonical_origin *o, const struct json *doc,
				   struct findings *f)
{
	struct str channel = json_get_text(doc, "channel"), external_id = json_get_text(doc, "external_id");
	struct err e = ERR_NONE;
	c->order_id = json_get_text(doc, "order_id");
	c->reason = json_get_text(doc, "reason");
	enum rc rc = RC_OK;
	if (json_get(doc, "lines")) {
		findings_add(f, "/lines", "not_supported", "Lines cannot be cancelled one by one.");
		return RC_INVALID;
	}
	if (!c->order_id.n)
		rc = o->find_order(o->ctx, &c->arena, channel.n ? channel : c->source, external_id, &c->order_id, &e);
	if (rc == RC_NOT_FOUND) {
		findings_add(f, "/external_id", "not_found", "No order of this channel has this id.");
		rc = RC_INVALID;
	}
	c->target = c->order_id;
	return rc;
}

static enum rc read_record_command(struct command *c, struct str type, const char *id_field, const struct json *doc,
				   struct findings *f)
{
	c->record.type = arena_copy(&c->arena, type);
	c->record.id = json_get_text(doc, id_field);
	c->record.uom = json_get_text(doc, "base_uom");
	if (c->record.id.n)
		return RC_OK;
	findings_add(f, "", "required", "The object has no %s.", id_field);
	return RC_INVALID;
}

static enum rc read_item_command(struct command *c, const struct canonical_origin *o, const struct json *doc,
				 struct findings *f)
{
	enum rc rc = read_record_command(c, STR("item"), "sku", doc, f);
	if (rc == RC_OK)
		rc = item_record_read(&c->arena, doc, o->tenant->sku_case, &c->record.item, f);
	if (rc != RC_OK)
		return rc;
	c->record.id = c->record.item.sku;
	struct buf rules;
	buf_init(&rules, 4u << 20);
	item_record_write(&rules, &c->record.item);
	c->record.rules = buf_ok(&rules) ? arena_copy(&c->arena, buf_str(&rules)) : STR_NONE;
	rc = buf_ok(&rules) && c->record.rules.n == rules.n ? RC_OK : RC_LIMIT;
	buf_done(&rules);
	return rc;
}

typedef enum rc (*read_fn)(struct command *c, const struct canonical_origin *o, const struct json *doc,
			   struct findings *f);

static const struct canonical_type {
	const char *name;
	enum command_type command;
	read_fn read;          /* NULL: a record */
	const char *key_field; /* what its natural key is made of; the id of a record */
} types[] = {
    {"order", COMMAND_ORDER_CAPTURE, read_order_command, "external_id"},
    {"order-cancel", COMMAND_ORDER_CANCEL, read_cancel_command, NULL},
    {"stock-movement", COMMAND_STOCK_MOVE, read_movement_command, "source_event_id"},
    {"stock-count", COMMAND_STOCK_MOVE, read_count_command, "source_event_id"},
    {"shipment", COMMAND_SHIPMENT, read_shipment_command, "shipment_id"},
    {"item", COMMAND_RECORD, read_item_command, "sku"},
    {"customer", COMMAND_RECORD, NULL, "external_id"},
    {"price-list", COMMAND_RECORD, NULL, "external_id"},
    {"invoice", COMMAND_RECORD, NULL, "external_id"},
};

static const struct canonical_type *type_of(struct str name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_is(name, types[i].name))
			return &types[i];
	return NULL;
}

static enum rc fill(struct command *c, const struct canonical_type *t, const struct canonical_origin *o,
		    struct str type, const struct json *document, struct findings *f)
{
	enum rc rc = t->read ? t->read(c, o, document, f) : read_record_command(c, type, t->key_field, document, f);
	return rc == RC_OK ? keep_document(c, document) : rc;
}

void canonical_name(struct command *c, const struct canonical_origin *o, struct str type, const struct json *document)
{
	const struct canonical_type *t = type_of(type);
	const char *field = t ? t->key_field : NULL;
	struct str id = field ? json_text(json_get(document, field)) : STR_NONE;
	struct str channel = json_get_text(document, "channel");

	if (!id.n)
		return;
	c->natural_type = t->command;
	if (t->command == COMMAND_ORDER_CAPTURE)
		c->natural_key = str_from(arena_printf(&c->arena, STR_FMT "/" STR_FMT,
						       STR_ARG(channel.n ? channel : o->source), STR_ARG(id)));
	else
		c->natural_key = arena_copy(&c->arena, id);
}

enum rc canonical_check(const struct canonical_origin *o, struct str type, const struct json *document,
			struct findings *f)
{
	const struct canonical_type *t = type_of(type);
	if (!t) {
		findings_add(f, "", "unknown_type", "Nothing is done with objects of type %.*s.", (int)type.n, type.p);
		return RC_INVALID;
	}
	struct command *c = command_of(o, t->command);
	enum rc rc = fill(c, t, o, type, document, f);
	command_free(c);
	return rc == RC_RETRY ? RC_OK : rc;
}

enum rc canonical_command(const struct canonical_origin *o, struct str type, const struct json *document,
			  struct command **out, struct err *e)
{
	const struct canonical_type *t = type_of(type);
	if (!t) {
		char text[160];
		int n = snprintf(text, sizeof(text), "nothing is done with objects of type " STR_FMT, STR_ARG(type));
		size_t length = n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1;
		*out = canonical_dead(o, (struct str){text, length}, document);
		return RC_OK;
	}
	struct command *c = command_of(o, t->command);
	struct findings f;
	findings_init(&f, &c->arena);
	enum rc rc = fill(c, t, o, type, document, &f);
	if (rc == RC_OK) {
		*out = c;
		return RC_OK;
	}
	if (rc == RC_INVALID) {
		*out = canonical_dead(o, canonical_reason(&c->arena, type, &f), document);
		canonical_name(*out, o, type, document);
		command_free(c);
		return RC_OK;
	}
	command_free(c);
	return err_set(e, rc, rc == RC_LIMIT ? "object_too_large" : "object_not_readable",
		       "an object cannot be made a command: %s", rc_name(rc));
}
