/*
 * Canonical stock movements, counts and shipments as structs (schemas/stock-movement, stock-count, shipment).
 * Everything points into the arena and the parsed document.
 */
#ifndef MODEL_MOVEMENT_H
#define MODEL_MOVEMENT_H

#include "model/order.h"

enum movement_type {
	MOVE_RECEIVE,
	MOVE_ADJUST, /* signed */
	MOVE_PICK,
	MOVE_SHIP,
	MOVE_MOVE,  /* to_location */
	MOVE_COUNT, /* absolute on hand */
	MOVE_QUARANTINE,
	MOVE_CLEAR,
	MOVE_SCRAP,
	MOVE_RETURN,
	MOVE_ORDER_IN, /* the purchase order was acknowledged */
	MOVE_ANNOUNCE, /* ship notice */
	MOVE_REVERSE,  /* takes an earlier movement back, all of it or the lines that are named */
};

/* Where goods that come in or are taken aside go. */
enum movement_state { MOVE_STATE_DEFAULT, MOVE_STATE_FREE, MOVE_STATE_QUARANTINED, MOVE_STATE_DAMAGED };

#define SERIAL_TEXT_MAX 100 /* bytes; GS1 AI 21 has 20 of its 82 characters, others are looser */

/* Of a kit's line: the serial numbers of one component. */
struct component_serials {
	struct str sku;
	const struct json *serials;
};

struct movement_line {
	struct str sku, location, lot, to_location;
	struct str order_line_id; /* line_id of the document; may be empty */
	uint32_t number;          /* which line of the document, from 0 (verbs_prepare) */
	uint32_t of_line;         /* MOVE_REVERSE: the line that it takes back, from 1; 0: all of these goods */
	qty_t quantity;           /* positive, but signed for MOVE_ADJUST and 0 or more for MOVE_COUNT */
	struct str uom;
	struct str kit;              /* of a kit that was taken apart: its SKU; else empty */
	struct str owner;            /* of consigned stock; empty: our own */
	bool lot_found, owner_found; /* not said: found by the serial numbers */
	int32_t expires_on;          /* of the lot, in days since 1970; 0: not said */
	enum movement_state state;   /* receive, return, quarantine */
	const struct json *serials;  /* array of texts, or NULL */
	struct component_serials *component_serials;
	uint32_t component_count;
};

struct movement {
	enum movement_type type;
	struct str source, source_event_id;
	int64_t occurred_at;
	int64_t expected_at; /* of MOVE_ORDER_IN, MOVE_ANNOUNCE, a transfer, a return to come; 0 if not said */
	struct str order_id, purchase_order_id, reason; /* may be empty */
	struct str transfer_id;       /* a move that arrives later, and the receipt that it becomes; may be empty */
	struct str return_id;         /* a return that was announced; may be empty */
	struct str reverses;          /* MOVE_REVERSE: a movement id, or empty: */
	struct str reverses_event_id; /* of the same source */
	bool quantity_only;           /* a count of balances: it knows of no serial numbers */
	size_t line_count;
	struct movement_line *lines;
};

#define MOVEMENT_LINES_MAX   1000
#define MOVEMENT_SERIALS_MAX 10000
#define MOVEMENT_ITEMS_MAX   1000

const char *movement_type_name(enum movement_type t);
bool movement_type_parse(struct str name, enum movement_type *out);

/* From one valid document. `at` is the JSON Pointer prefix for findings ("" or "/items/3"). */
enum rc movement_read(struct arena *a, const struct json *doc, enum sku_case sku_case, const char *at,
		      struct movement *out, struct findings *f) MUST_CHECK;

/* The members serials and component_serials, those that there are. */
void movement_write_serials(struct json_writer *w, const struct movement_line *l);

/* A count is a movement of type MOVE_COUNT; source is empty where the document has none. */
enum rc stock_count_read(struct arena *a, const struct json *doc, enum sku_case sku_case, const char *at,
			 struct movement *out, struct findings *f) MUST_CHECK;

/* A shipment of an order: the ship movement it means, and what channel and ERP are told. */
struct shipment {
	struct str shipment_id; /* the warehouse's */
	struct str order_id;
	struct movement movement; /* MOVE_SHIP; source is the document's, else the caller sets it; source_event_id is
				     the shipment id */
};
enum rc shipment_read(struct arena *a, const struct json *doc, enum sku_case sku_case, const char *at,
		      struct shipment *out, struct findings *f) MUST_CHECK;

#define HOLD_TTL_MAX_S 31536000

/* A reservation request (POST /v1/reservations). */
struct hold_request {
	struct str reservation_id; /* may be empty: the hub makes one */
	struct str channel;
	int64_t ttl_ms; /* 0: the channel's default */
	bool partial;   /* what is there is held */
	struct ship_to ship_to;
	size_t line_count;
	struct movement_line *lines; /* sku, quantity, location (may be empty) */
};
enum rc hold_request_read(struct arena *a, const struct json *doc, enum sku_case sku_case, const char *at,
			  struct hold_request *out, struct findings *f) MUST_CHECK;

/* What is to become an order's of a reservation (POST /v1/reservations/{id}/commit). */
struct hold_commit {
	bool keep_rest;
	size_t line_count;
	struct movement_line *lines; /* NULL: all */
};
enum rc hold_commit_read(struct arena *a, const struct json *doc, enum sku_case sku_case, struct hold_commit *out,
			 struct findings *f) MUST_CHECK;

#endif
