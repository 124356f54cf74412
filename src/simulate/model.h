/*
 * What must be true of a tenant's stock, orders and reservations, in whole units and plain arrays. It shares no rule
 * with the hub: it is told of each row of the log, in order, and keeps its own books by its own arithmetic. What it
 * knows of the world (facts, orders, reservations, policies) comes from those who made them, not from the hub.
 *
 * The first thing that is wrong is kept in words; after that it looks at nothing more.
 */
#ifndef SIMULATE_MODEL_H
#define SIMULATE_MODEL_H

#include "base/map.h"
#include "format/json.h"
#include "model/movement.h"
#include "orchestrate/stock/entry.h"

#define MODEL_ITEMS       5
#define MODEL_PLACES      3
#define MODEL_CHANNELS    2
#define MODEL_KITS        2
#define MODEL_PRODUCTS    (MODEL_ITEMS + MODEL_KITS) /* what is sold: items, then kits */
#define MODEL_OWNERS      2
#define MODEL_LOTS        3 /* of an item at a place: first out first; the last is none */
#define MODEL_WANTED      16384
#define MODEL_FENCE_MAX   12
#define MODEL_ARRIVALS    512
#define MODEL_LINES       3 /* of an order */
#define MODEL_FACT_LINES  12
#define MODEL_CASE        6 /* units */
#define MODEL_FACTS       4096
#define MODEL_ORDERS      2048
#define MODEL_HOLDS       2048
#define MODEL_VERSIONS    1024
#define MODEL_TOLD        64
#define MODEL_REPORTS     64
#define MODEL_SERIAL_ITEM 3
#define MODEL_SERIALS     1024
#define MODEL_NAMED       16384 /* serial numbers, in all lines of facts */
#define MODEL_MISSED      2048

struct model_policy {
	int safety[MODEL_PLACES];
	struct {
		int places[MODEL_PLACES], place_count;
		int share_ppm, buffer, cap, minimum, backorder; /* cap -1: none */
		bool strict, stale_zero, split_kits;
		int quota;                             /* of an item, in reservations; 0: any */
		int inbound_cap;                       /* of what is on its way, how much may be sold */
		int64_t horizon_ms, max_age_ms;        /* 0: none */
		int owners[MODEL_OWNERS], owner_count; /* whose stock it sells, in this order, after ours */
	} channels[MODEL_CHANNELS];
	int discontinued; /* bit by item, from its record on */
	int blurred;      /* bit by item: a count of it is not told exactly */
	bool compares;    /* a channel says what it shows, and so what it has sold and not told yet */
};

struct model_line {
	int item, place, to, quantity; /* of what is sold, picked or shipped: a product */
	int line;                      /* of the order that it is shipped for, from 1; 0: not said */
	int owner;                     /* 0: ours, or not said; else 1 + its index */
	int serials, serial_count;     /* those that it names: from so many in named on */
};

/* Something that happened in the warehouse, as it will tell it. */
struct model_fact {
	enum movement_type type;
	int64_t at;
	struct model_line lines[MODEL_FACT_LINES];
	int line_count;
	int lot, cases;              /* lot: of MODEL_LOTS; cases: told so, of MODEL_CASE */
	bool off_site;               /* of what was on its way */
	int reverses;                /* of MOVE_REVERSE: the fact that is taken back */
	int64_t expected_at;         /* 0: not said */
	bool reversed;               /* somebody takes it back */
	int order;                   /* that it is picked or shipped for; -1: none */
	bool serial;                 /* it names all serial numbers */
	bool taken_back;             /* seen in the log */
	int64_t seq;                 /* of its row, where it says something of serial numbers; else 0 */
	bool applied;                /* seen in the log */
	int64_t row;                 /* there */
	int effect[MODEL_PLACES];    /* what it did, to the item of its first line */
	struct model_report *report; /* of a correction */
};

struct model_order {
	int channel;
	struct model_line lines[MODEL_LINES]; /* item, quantity */
	int line_count;
	char id[40];   /* the hub's; empty: not seen in the log */
	char kind[24]; /* of its last event: "accepted" */
	bool cancelled, accepted;
	int ordered[MODEL_ITEMS], allocated[MODEL_ITEMS], shipped[MODEL_ITEMS];
	int has[MODEL_ITEMS][MODEL_PLACES]; /* allocated there, or shipped from there */
	bool blurred;                       /* picked, or left where it had none: not exact */
	bool moved;                         /* by the last commit */
	int told[MODEL_PRODUCTS];           /* in shipments */
	/* What owners had of it: shipped, and told in shipments. */
	int sold[MODEL_OWNERS][MODEL_ITEMS], settled[MODEL_OWNERS][MODEL_ITEMS];
};

struct model_hold {
	int channel, ends;
	struct model_line lines[MODEL_LINES];
	int line_count;
	int wanted[MODEL_ITEMS], held[MODEL_ITEMS][MODEL_PLACES];
	int64_t expires_at;
	bool seen, committed, partial; /* partial: it takes what there is */
	/* The part that is to be committed; one at a time. */
	struct model_ask {
		int units[MODEL_ITEMS], order;
		bool asked, keep_rest;
	} ask;
	int parts;                            /* commits in part that were seen */
	bool whole;                           /* committed as a whole */
	int due[MODEL_ITEMS];                 /* what the order is to get by the next movement, if it needs it */
	int given[MODEL_ITEMS][MODEL_PLACES]; /* told, and no movement seen yet */
};

/* What the warehouse has, as it has reported it. */
struct model_report {
	char id[40]; /* of its reconciliation; empty: not begun */
	int64_t as_of;
	int theirs[MODEL_ITEMS][MODEL_PLACES];
	bool corrected[MODEL_ITEMS][MODEL_PLACES];
	bool late[MODEL_ITEMS][MODEL_PLACES]; /* something of before it came in after it had settled */
	bool ended, failed;                   /* failed: or it was never begun */
};

enum model_serial_state {
	SERIAL_IS_UNKNOWN,
	SERIAL_IS_IN_STOCK,
	SERIAL_IS_QUARANTINED,
	SERIAL_IS_PICKED,
	SERIAL_IS_RETURNED,
	SERIAL_IS_SHIPPED,
	SERIAL_IS_SCRAPPED,
	MODEL_SERIAL_STATES
};

struct model_serial {
	enum model_serial_state state;
	int place, order; /* -1: none */
	int64_t at;       /* of what was told last of it; INT64_MIN: nothing */
};

struct model_change {
	int64_t at;
	int item, place, delta;
};

struct model {
	bool reads_again; /* what was true at the time of each row cannot be said any more */
	struct model_policy policy;
	int states[MODEL_ITEMS][MODEL_PLACES][STOCK_STATES];
	int free[MODEL_ITEMS][MODEL_PLACES][MODEL_LOTS]; /* by lot */
	int theirs[MODEL_OWNERS][MODEL_ITEMS][MODEL_PLACES][STOCK_STATES];
	int untold[MODEL_OWNERS][MODEL_ITEMS]; /* of their units that came and left, and no event has told it yet */
	bool known[MODEL_PRODUCTS];            /* a movement or its record has named it */
	bool recorded[MODEL_PRODUCTS];         /* its record is there */
	/* Of the event that was seen last, the newest of all; at most then the warehouse was heard. */
	int64_t now, newest, heard;
	struct model_fence {
		int quantity, before, used; /* used: at most; before: until the commit is seen as a whole */
		uint32_t asked;             /* quantities that somebody asked for, by bit */
		bool fresh;
	} fences[MODEL_CHANNELS][MODEL_ITEMS][MODEL_PLACES];
	unsigned char wanted[MODEL_WANTED]; /* events that the subscriber is to get, by position */
	bool subscribed;
	struct model_arrival {
		int item, place, quantity;
		int64_t expected_at;
	} arrivals[MODEL_ARRIVALS]; /* all that were ever expected */
	int arrival_count;
	struct model_fact facts[MODEL_FACTS];
	struct model_order orders[MODEL_ORDERS];
	struct model_hold holds[MODEL_HOLDS];
	int fact_count, order_count, hold_count;
	short named[MODEL_NAMED];
	int named_count, serial_count;
	struct {
		int64_t at, seq;
		int serial, place;
		bool told;
	} missed[MODEL_MISSED]; /* by counts */
	int missed_count;
	int drift[MODEL_SERIALS];    /* contradictions that were told, less those that were said */
	bool touched[MODEL_SERIALS]; /* by what was seen last */
	struct model_report reports[MODEL_REPORTS];
	int report_count;
	int mended; /* items by bit that are blurred and were corrected: their facts are not exact any more */
	bool strayed[MODEL_ITEMS][MODEL_PLACES]; /* the warehouse has told what is not so */
	struct model_change *changes;            /* of what is on hand, in log order */
	size_t change_count, change_room;
	int64_t counted_at[MODEL_ITEMS][MODEL_PLACES]; /* the newest instant of a count */
	int64_t counted_by[MODEL_ITEMS][MODEL_PLACES]; /* the row of the log that was told of it last */
	/* What the channels are told, by version; -1: nothing yet. */
	int told[MODEL_CHANNELS][MODEL_PRODUCTS][MODEL_VERSIONS], last[MODEL_CHANNELS][MODEL_PRODUCTS];
	struct model_told {
		int channel, item, available, before;
	} fresh[MODEL_TOLD]; /* by the last commit */
	int fresh_count;
	struct map by_id;                     /* struct model_order by the hub's id */
	int64_t movement, position;           /* the last rows that were seen */
	uint64_t movement_chain, event_chain; /* hashes over all rows that were seen */
	char broken[400];
};

extern const char *const model_products[MODEL_PRODUCTS];
extern const int model_kits[MODEL_KITS][MODEL_ITEMS]; /* what is in one */
extern const char *const model_lots[MODEL_LOTS];
extern const char *const model_serial_states[MODEL_SERIAL_STATES];
extern const char *const model_owners[MODEL_OWNERS];
extern const char *const model_items[MODEL_ITEMS], *const model_places[MODEL_PLACES];
extern const char *const model_channels[MODEL_CHANNELS];

struct model *model_new(const struct model_policy *policy);
void model_free(struct model *m);
/* The same world, and nothing seen of the log yet. */
struct model *model_again(const struct model *m);
void model_break(struct model *m, const char *format, ...) PRINTF_LIKE(2, 3);

/* Names: facts are "m17", orders "o17", reservations "r17". -1: not one of ours. */
int model_number(struct str name, char kind);
int model_item(struct str sku);
int model_product(struct str sku); /* items and kits */
int model_place(struct str location);
int model_in_one(int product, int item); /* so many of the item */

struct model_movement {
	int64_t seq;
	struct str type, source_event_id, order_id, reason, entries;
};
void model_take_movement(struct model *m, const struct model_movement *row);
struct model_event {
	int64_t position, at;
	struct str type, subject, data;
};
void model_take_event(struct model *m, const struct model_event *row);
/* After the rows of a commit. */
void model_check(struct model *m);

/* After one commit, followed by no other: what channels are told fits the books. */
void model_check_told(struct model *m);

/* Does an order of a kit wait, while one more of what it lacks is free? */
bool model_waits_for_nothing(const struct model *m, const struct model_order *o);
bool model_has_kit(const struct model_line *lines, int count);

struct model_serial model_serial_now(struct model *m, int serial);
int model_serials_at(struct model *m, int place);
int model_on_hand(const struct model *m, int item, int place);
/* What a channel may have of what is free at a place; what is kept for others is not looked at. */
int model_free_for(const struct model *m, int channel, int item, int place);
/* The owners' units that came or left, as a list in an event or a shipment tells them. */
void model_read_consigned(const struct json *list, int out[MODEL_OWNERS][MODEL_ITEMS]);
/* Of what is free at a place: what is kept for other channels. */
int model_kept_from(const struct model *m, int channel, int item, int place, int free);
/* What a channel may show of an item or kit: of goods on their way the most that could be meant. */
int model_may_sell(const struct model *m, int channel, int product);
bool model_is_stale(const struct model *m, int channel);

#endif
