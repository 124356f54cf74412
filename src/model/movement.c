#include "model/movement.h"

#include "base/clock.h"
#include "model/read.h"

#include <assert.h>
#include <stdio.h>

static const char *const type_names[] = {
    [MOVE_RECEIVE] = "receive",
    [MOVE_ADJUST] = "adjust",
    [MOVE_PICK] = "pick",
    [MOVE_SHIP] = "ship",
    [MOVE_MOVE] = "move",
    [MOVE_COUNT] = "count",
    [MOVE_QUARANTINE] = "quarantine",
    [MOVE_CLEAR] = "clear",
    [MOVE_SCRAP] = "scrap",
    [MOVE_RETURN] = "return",
    [MOVE_ORDER_IN] = "order-in",
    [MOVE_ANNOUNCE] = "announce",
    [MOVE_REVERSE] = "reverse",
};

#define TYPE_COUNT (sizeof(type_names) / sizeof(type_names[0]))

const char *movement_type_name(enum movement_type t)
{
	assert((size_t)t < TYPE_COUNT);
	return type_names[t];
}

bool movement_type_parse(struct str name, enum movement_type *out)
{
	for (size_t i = 0; i < TYPE_COUNT; i++) {
		if (str_is(name, type_names[i])) {
			*out = (enum movement_type)i;
			return true;
		}
	}
	return false;
}

static enum read_sign sign_of(enum movement_type t)
{
	switch (t) {
	case MOVE_ADJUST:
		return READ_NOT_ZERO;
	case MOVE_COUNT:
		return READ_NOT_NEGATIVE;
	case MOVE_RECEIVE:
	case MOVE_PICK:
	case MOVE_SHIP:
	case MOVE_MOVE:
	case MOVE_QUARANTINE:
	case MOVE_CLEAR:
	case MOVE_SCRAP:
	case MOVE_RETURN:
	case MOVE_ORDER_IN:
	case MOVE_ANNOUNCE:
		return READ_POSITIVE;
	case MOVE_REVERSE:
		return READ_NOT_ZERO;
	}
	return READ_POSITIVE;
}

static void read_to_location(struct reader *r, const struct json *j, size_t i, enum movement_type type,
			     struct movement_line *out)
{
	out->to_location = json_get_text(j, "to_location");
	if (type != MOVE_MOVE) {
		if (out->to_location.n)
			read_note(r, j, "not_applicable", "Only a move has a to_location.", "/lines/%zu/to_location",
				  i);
	} else if (out->to_location.n == 0) {
		read_note(r, j, "required", "A move needs the location it leads to.", "/lines/%zu/to_location", i);
	} else if (str_eq(out->to_location, out->location)) {
		read_note(r, j, "same_location", "A move must lead to another location.", "/lines/%zu/to_location", i);
	}
}

#define DAY_MS 86400000

static int32_t read_day(struct reader *r, const struct json *line, size_t i)
{
	struct str day = json_get_text(line, "expires_on");
	char text[48];
	int64_t ms = 0;

	if (!json_get(line, "expires_on"))
		return 0;
	snprintf(text, sizeof(text), STR_FMT "T00:00:00Z", STR_ARG(day));
	if (day.n == 10 && time_parse(str_from(text), &ms, NULL) == RC_OK && ms >= DAY_MS)
		return (int32_t)(ms / DAY_MS);
	read_note(r, line, "not_a_date", "This must be a date such as 2027-01-31.", "/lines/%zu/expires_on", i);
	return 0;
}

static enum movement_state read_state(struct reader *r, const struct json *line, size_t i, enum movement_type type)
{
	static const char *const names[] = {NULL, "free", "quarantined", "damaged"};
	struct str state = json_get_text(line, "state");
	bool may = type == MOVE_RECEIVE || type == MOVE_RETURN || type == MOVE_QUARANTINE;

	if (!json_get(line, "state"))
		return MOVE_STATE_DEFAULT;
	for (int n = MOVE_STATE_FREE; may && n <= MOVE_STATE_DAMAGED; n++)
		if (str_is(state, names[n]) && !(type == MOVE_QUARANTINE && n == MOVE_STATE_FREE))
			return (enum movement_state)n;
	read_note(r, line, may ? "not_in_enum" : "not_applicable",
		  "Only what is received, returned or quarantined has a state it goes to.", "/lines/%zu/state", i);
	return MOVE_STATE_DEFAULT;
}

/* What scanners and systems give; blanks inside are theirs, control characters are nobody's. */
static bool is_serial(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n > 0 && s.n <= SERIAL_TEXT_MAX;
}

/* of: the line, or one of its component_serials. NULL: there are none. */
static const struct json *read_serials(struct reader *r, const struct json *of, size_t i, size_t *count)
{
	const struct json *list = json_get(of, "serials");

	if (!list)
		return NULL;
	if (list->type != JSON_ARRAY) {
		read_note(r, list, "wrong_type", "Serial numbers are a list of texts.", "/lines/%zu/serials", i);
		return NULL;
	}
	*count += list->count;
	for (uint32_t n = 0; n < list->count; n++)
		if (!is_serial(json_text(&list->items[n])))
			read_note(r, &list->items[n], "bad_serial",
				  "A serial number is a text of at most 100 bytes without control characters.",
				  "/lines/%zu/serials/%u", i, n);
	return list->count ? list : NULL;
}

static void read_component_serials(struct reader *r, const struct json *line, size_t i, size_t *count,
				   struct movement_line *out)
{
	const struct json *list = json_get(line, "component_serials");

	if (!list)
		return;
	if (list->type != JSON_ARRAY) {
		read_note(r, list, "wrong_type", "This must be a list.", "/lines/%zu/component_serials", i);
		return;
	}
	out->component_serials = arena_array(r->arena, struct component_serials, list->count + 1);
	if (!out->component_serials) {
		r->full = true;
		return;
	}
	for (uint32_t n = 0; n < list->count; n++) {
		struct component_serials *c = &out->component_serials[out->component_count];

		c->sku = sku_apply_case(r->arena, json_get_text(&list->items[n], "sku"), r->sku_case);
		c->serials = read_serials(r, &list->items[n], i, count);
		out->component_count += c->serials != NULL;
	}
}

static uint32_t read_reversed_line(struct reader *r, const struct json *line, size_t i, enum movement_type type)
{
	const struct json *j = json_get(line, "line");
	int64_t number = 0;

	if (!j)
		return 0;
	if (type != MOVE_REVERSE)
		read_note(r, j, "not_applicable", "Only a reversal names a line of another movement.",
			  "/lines/%zu/line", i);
	else if (!json_int(j, &number) || number < 1 || number > MOVEMENT_LINES_MAX)
		read_note(r, j, "out_of_range", "This must be the number of a line; the first is 1.", "/lines/%zu/line",
			  i);
	else
		return (uint32_t)number;
	return 0;
}

/* serials: counts them. */
static void read_lot(struct reader *r, const struct json *line, size_t i, enum movement_type type, size_t *serials,
		     struct movement_line *out)
{
	out->lot = json_get_text(line, "lot");
	out->owner = json_get_text(line, "owner");
	out->expires_on = read_day(r, line, i);
	out->state = read_state(r, line, i, type);
	out->serials = read_serials(r, line, i, serials);
	read_component_serials(r, line, i, serials, out);
	if (out->expires_on && !out->lot.n)
		read_note(r, line, "required", "What expires is a lot: name it.", "/lines/%zu/lot", i);
}

static enum rc read_movement_lines(struct reader *r, const struct json *doc, enum movement_type type,
				   bool location_needed, size_t *count, struct movement_line **out)
{
	const struct json *lines = read_lines(r, doc, MOVEMENT_LINES_MAX);
	size_t serials = 0;
	if (!lines)
		return RC_INVALID;
	*out = arena_array(r->arena, struct movement_line, lines->count);
	if (!*out)
		return RC_LIMIT;
	*count = lines->count;
	for (size_t i = 0; i < lines->count; i++) {
		const struct json *j = &lines->items[i];
		struct movement_line *l = &(*out)[i];
		char pointer[32];
		snprintf(pointer, sizeof(pointer), "/lines/%zu", i);
		*l = (struct movement_line){.sku = read_sku(r, j, i)};
		l->location = location_needed ? read_required(r, j, "location", pointer) : json_get_text(j, "location");
		read_lot(r, j, i, type, &serials, l);
		l->order_line_id = json_get_text(j, "line_id");
		l->of_line = read_reversed_line(r, j, i, type);
		l->quantity = read_quantity(r, j, i, sign_of(type));
		l->uom = json_get_text(j, "uom");
		read_to_location(r, j, i, type, l);
	}
	if (serials > MOVEMENT_SERIALS_MAX)
		read_note(r, lines, "too_many_serials", "A movement names at most 10000 serial numbers.", "/lines");
	return read_result(r, *out);
}

enum rc movement_read(struct arena *a, const struct json *doc, enum sku_case sku_case, const char *at,
		      struct movement *out, struct findings *f)
{
	struct reader r = {.arena = a, .findings = f, .at = at, .sku_case = sku_case};
	struct str type = read_required(&r, doc, "type", "");

	*out = (struct movement){
	    .source = read_required(&r, doc, "source", ""),
	    .source_event_id = read_required(&r, doc, "source_event_id", ""),
	    .occurred_at = read_instant(&r, doc, "occurred_at", true),
	    .expected_at = read_instant(&r, doc, "expected_at", false),
	    .order_id = json_get_text(doc, "order_id"),
	    .purchase_order_id = json_get_text(doc, "purchase_order_id"),
	    .reason = json_get_text(doc, "reason"),
	    .transfer_id = json_get_text(doc, "transfer_id"),
	    .return_id = json_get_text(doc, "return_id"),
	    .reverses = json_get_text(doc, "reverses"),
	    .reverses_event_id = json_get_text(doc, "reverses_event_id"),
	};
	if (!movement_type_parse(type, &out->type)) {
		if (type.n)
			read_note(&r, json_get(doc, "type"), "not_in_enum", "There is no movement of this type.",
				  "/type");
		return RC_INVALID;
	}
	if (out->type != MOVE_REVERSE && (out->reverses.n || out->reverses_event_id.n))
		read_note(&r, doc, "not_applicable", "Only a movement of type reverse takes another one back.",
			  "/reverses");
	if (out->type == MOVE_REVERSE && !out->reverses.n && !out->reverses_event_id.n)
		read_note(&r, doc, "required", "Name the movement to take back: reverses or reverses_event_id.",
			  "/reverses");
	if (out->type == MOVE_REVERSE && !json_get(doc, "lines"))
		return r.failed ? RC_INVALID : RC_OK;
	return read_movement_lines(&r, doc, out->type, true, &out->line_count, &out->lines);
}

void movement_write_serials(struct json_writer *w, const struct movement_line *l)
{
	if (l->serials) {
		jw_key(w, "serials");
		jw_value(w, l->serials);
	}
	if (!l->component_count)
		return;
	jw_key(w, "component_serials");
	jw_array(w);
	for (uint32_t i = 0; i < l->component_count; i++) {
		jw_object(w);
		jw_key_text(w, "sku", l->component_serials[i].sku);
		jw_key(w, "serials");
		jw_value(w, l->component_serials[i].serials);
		jw_object_end(w);
	}
	jw_array_end(w);
}

enum rc stock_count_read(struct arena *a, const struct json *doc, enum sku_case sku_case, const char *at,
			 struct movement *out, struct findings *f)
{
	struct reader r = {.arena = a, .findings = f, .at = at, .sku_case = sku_case};

	*out = (struct movement){
	    .type = MOVE_COUNT,
	    .source = json_get_text(doc, "source"),
	    .source_event_id = read_required(&r, doc, "source_event_id", ""),
	    .occurred_at = read_instant(&r, doc, "occurred_at", true),
	    .reason = json_get_text(doc, "reason"),
	};
	return read_movement_lines(&r, doc, MOVE_COUNT, true, &out->line_count, &out->lines);
}

enum rc shipment_read(struct arena *a, const struct json *doc, enum sku_case sku_case, const char *at,
		      struct shipment *out, struct findings *f)
{
	struct reader r = {.arena = a, .findings = f, .at = at, .sku_case = sku_case};

	*out = (struct shipment){
	    .shipment_id = read_required(&r, doc, "shipment_id", ""),
	    .order_id = read_required(&r, doc, "order_id", ""),
	};
	out->movement = (struct movement){
	    .type = MOVE_SHIP,
	    .source = json_get_text(doc, "source"),
	    .source_event_id = out->shipment_id,
	    .occurred_at = read_instant(&r, doc, "shipped_at", true),
	    .order_id = out->order_id,
	};
	return read_movement_lines(&r, doc, MOVE_SHIP, true, &out->movement.line_count, &out->movement.lines);
}

/* Degrees, in millionths. false: it is not given, or out of range. */
static bool read_degrees(struct reader *r, const struct json *to, const char *name, int64_t most, int32_t *out)
{
	const struct json *j = json_get(to, name);
	struct decimal d, scaled;

	if (!j)
		return false;
	if (decimal_parse(json_text(j), &d, NULL) == RC_OK && decimal_rescale(d, 6, DECIMAL_DOWN, &scaled) == RC_OK &&
	    scaled.units >= -most * 1000000 && scaled.units <= most * 1000000) {
		*out = (int32_t)scaled.units;
		return true;
	}
	read_note(r, j, "out_of_range", "These are degrees as decimal text.", "/ship_to/%s", name);
	return false;
}

static void read_ship_to(struct reader *r, const struct json *to, struct ship_to *out)
{
	bool latitude, longitude;

	*out =
	    (struct ship_to){.country = json_get_text(to, "country"), .postal_code = json_get_text(to, "postal_code")};
	latitude = read_degrees(r, to, "latitude", 90, &out->latitude);
	longitude = read_degrees(r, to, "longitude", 180, &out->longitude);
	out->has_point = latitude && longitude;
}

enum rc hold_request_read(struct arena *a, const struct json *doc, enum sku_case sku_case, const char *at,
			  struct hold_request *out, struct findings *f)
{
	struct reader r = {.arena = a, .findings = f, .at = at, .sku_case = sku_case};
	const struct json *ttl = json_get(doc, "ttl_s"), *partial = json_get(doc, "partial");
	int64_t seconds = 0;

	*out = (struct hold_request){
	    .reservation_id = json_get_text(doc, "reservation_id"),
	    .channel = read_required(&r, doc, "channel", ""),
	    .partial = json_is(partial, JSON_BOOL) && partial->boolean,
	};
	if (ttl && (!json_int(ttl, &seconds) || seconds < 1 || seconds > HOLD_TTL_MAX_S))
		read_note(&r, ttl, "out_of_range", "This must be a whole number of seconds, at most a year.", "/ttl_s");
	else
		out->ttl_ms = seconds * 1000;
	read_ship_to(&r, json_get(doc, "ship_to"), &out->ship_to);
	return read_movement_lines(&r, doc, MOVE_SHIP, false, &out->line_count, &out->lines);
}

enum rc hold_commit_read(struct arena *a, const struct json *doc, enum sku_case sku_case, struct hold_commit *out,
			 struct findings *f)
{
	struct reader r = {.arena = a, .findings = f, .at = "", .sku_case = sku_case};
	const struct json *keep = json_get(doc, "keep_rest");

	*out = (struct hold_commit){
	    .keep_rest = json_is(keep, JSON_BOOL) && keep->boolean,
	};
	if (!json_get(doc, "lines"))
		return RC_OK;
	return read_movement_lines(&r, doc, MOVE_SHIP, false, &out->line_count, &out->lines);
}
