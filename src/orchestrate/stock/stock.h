/*
 * The stock ledger in memory: items, their positions, and the drafts of movements that change them.
 *
 * Balances are kept by item and place (location, lot, owner). Every change goes through stock_post, which moves a
 * quantity from one state to another and records the entry in the draft; a state's sum can only change against another
 * state or the outside. Writer only; what other threads see is published with stock_publish after the commit.
 *
 * On the disk a balance is a snapshot as of some movement. Rows are written some at a time, oldest change first
 * (stock_flush), so a commit's cost does not grow with the number of positions; meta.position_floor says from which
 * movement on the log has to be read again at the start.
 */
#ifndef ORCHESTRATE_STOCK_STOCK_H
#define ORCHESTRATE_STOCK_STOCK_H

#include "backbone/txn.h"
#include "base/map.h"
#include "orchestrate/policy.h"
#include "orchestrate/stock/ats.h"
#include "orchestrate/stock/entry.h"
#include "orchestrate/stock/view.h"

struct item_rules;
struct serial_book;
struct stock_past;
struct order_wait;
struct stock_item;
struct view_item;

struct stock_place {
	struct stock_position position;
	struct stock_item *item;
	int64_t through;     /* the last movement that changed it */
	int64_t loaded;      /* the movement that its row was as of when it was loaded */
	int64_t dirty_since; /* the first movement that is not in its row; 0: its row is right */
	struct stock_place *next_dirty;
	qty_t planned;           /* scratch of a hold that is being admitted */
	qty_t order_picked;      /* of position.states[STOCK_PICKED]: for orders */
	struct stock_past *past; /* past.h; NULL: nothing was ever on hand */
	uint32_t since;          /* of a lot or an owner's stock: when it first came, in seconds since 1970 */
};

struct publication; /* publish.c */
struct stock_terms; /* terms.h */
struct stock_due;

struct stock_item {
	struct str sku;
	struct stock_place *
	    *places; /* in the order in which stock is taken: what expires first, then what came first */
	uint32_t place_count;
	uint16_t uom; /* base unit: index in stock->uoms; 0: none */
	bool touched;
	bool restocked; /* on the list of items that have lines waiting and more free stock than before */
	bool recorded;  /* it has a record of its own, not only a name */
	struct stock_item *next_touched;
	struct stock_item *next_restocked;
	struct order_wait *waiting, **waiting_last; /* backordered order lines, oldest first */
	struct publication *publications;           /* by channel, NULL until first needed */
	struct view_item *view;                     /* its place in the view; NULL until first published */
	qty_t wanted;                               /* scratch of the allocation */
	uint32_t part;                              /* the same */
	struct item_rules *rules;                   /* item.h; NULL: a plain item */
	struct stock_terms *terms;                  /* terms.h; NULL: none */
	int64_t last;                               /* its last movement: the head of its chain (entry.h) */
	struct stock_place *first_place;            /* where places points while there is no second one */
	char text[];                                /* the sku */
};

struct stock {
	const struct config_tenant *tenant;
	struct map items;
	struct stock_item **list; /* all of them, the newest last */
	size_t item_count, item_room;
	size_t load_at; /* positions are loaded in the order of the items: where the last one was found */
	int64_t now;    /* of the batch */
	struct stock_item *touched, *restocked, *terms_dirty;
	struct stock_due *due; /* a heap (terms.h) */
	size_t due_count, due_room;
	struct ats_policy *policies; /* by channel */
	struct location_set *stale;  /* by channel: locations whose data is older than its max age */
	struct stock_place *dirty, **dirty_last;
	struct stock_view *view;
	qty_t *safety;                /* by location */
	struct str *uoms;             /* base units in use; the first is none */
	struct map aliases;           /* item.h */
	struct item_renamed *renamed; /* names that this batch has changed */
	uint32_t uom_count;
	uint32_t serial_items;       /* items that have serial numbers */
	struct serial_book *serials; /* of the open batch (serial.h) */
};

/* view: outlives the stock, so that readers keep it while the state is loaded again. */
struct stock *stock_new(const struct config_tenant *tenant, size_t items_max, struct stock_view *view);
void stock_free(struct stock *s);

struct stock_item *stock_find(const struct stock *s, struct str sku);
/* Finds or makes. NULL: the limit on items is reached. The sku is copied. t: writes the item's row; NULL while loading.
 * uom: its base unit, if it has none yet. */
struct stock_item *stock_item_make(struct stock *s, struct txn *t, struct str sku, struct str uom);
struct stock_place *stock_place_find(const struct stock_item *i, uint16_t location, struct str lot, struct str owner);
struct stock_place *stock_place_make(struct stock *s, struct stock_item *i, uint16_t location, struct str lot,
				     struct str owner);
/* As if it had changed: it is looked at after the command, and published. */
void stock_touch(struct stock *s, struct stock_item *i);
/* Its waiting lines may get something: order_step_restock looks at it. */
void stock_restock(struct stock *s, struct stock_item *i);
/* Ours and free at a location, over its lots, and not planned; what one lot owes, another has not. Less than nothing
 * counts as nothing. */
qty_t stock_free_at(const struct stock_item *i, uint16_t location);
/* Of that, what a channel may hold or be allocated: without what is ring-fenced for others (terms.c). */
qty_t stock_ours_for(const struct stock_item *i, uint16_t location, uint16_t channel);
/* With what it may of consigned stock; c: the same channel. */
qty_t stock_free_for(const struct stock_item *i, uint16_t location, uint16_t channel, const struct config_channel *c);
/* Of `there` units at a location: what is ring-fenced for others. */
qty_t stock_fenced_for_others(const struct stock_item *i, uint16_t location, uint16_t channel, qty_t there);
qty_t stock_on_hand(const struct stock_place *p);

/* What the sums need of an item besides its levels; it points into the item. */
void stock_ats_terms(const struct stock_item *i, struct ats_item *out);
/* Adds a position that is ours or of one of the consignors to the level of its location; levels has room for one more.
 */
void ats_add_position(struct ats_level *levels, size_t *count, const struct stock_position *p, uint64_t consignors);
/* Available-to-sell of a channel, by the balances as they are now (ats.h). A kit's is that of its parts. */
qty_t stock_available(const struct stock *s, const struct stock_item *i, const struct config_channel *c);
/* Of all channels: out by channel. */
void stock_available_all(const struct stock *s, const struct stock_item *i, qty_t *out);

/* A movement in the making. */
struct stock_draft {
	struct stock *stock;
	struct txn *txn;
	struct str type, movement_id, source, source_event_id, order_id, reason;
	int64_t seq, occurred_at;
	int64_t told; /* of what happened at one instant: what came first. Its seq, or that of what it takes back */
	struct buf entries;
	uint32_t line, line_packed; /* of the movement: whose entries are posted now, and the last one's */
	bool consigned;             /* it moves stock that is not ours */
	bool fact;                  /* happened at occurred_at: what a later count has seen already is taken back */
};
void stock_draft_begin(struct stock_draft *d, struct stock *s, struct txn *t, struct str type, int64_t occurred_at);
/* The lot's expiry is known, or known better: all of its places are ordered by it. */
void stock_lot_expires(struct stock_draft *d, struct stock_place *p, int32_t expires_on);
/* The place was counted at the draft's instant: after its correction. */
void stock_counted(struct stock_draft *d, struct stock_place *p);
/* Has a later count of the place seen what happened at the instant? Of the count's own instant: what was told before
 * it. A count without a lot of an item that is tracked by lot was of all its lots, also of those that the books did not
 * have yet. */
bool stock_was_counted(const struct stock_place *p, int64_t occurred_at, int64_t told);
/* Moves: p.from -> p.to, or to another place if to_place is not NULL. quantity > 0. */
void stock_post(struct stock_draft *d, struct stock_place *p, enum stock_state from, struct stock_place *to_place,
		enum stock_state to, qty_t quantity);
/* Writes the movement, unless it is empty and keep_empty is false. Returns its seq, 0 if none was written. */
int64_t stock_draft_end(struct stock_draft *d, bool keep_empty);

/* Loading: applies one packed entry of movement seq to positions whose snapshot is older. */
enum rc stock_replay(struct stock *s, int64_t seq, int64_t at, struct str entries, struct err *e) MUST_CHECK;
enum rc stock_load_position(struct stock *s, struct str sku, struct str location, struct str lot, struct str owner,
			    int64_t through, struct str states, struct err *e) MUST_CHECK;

/* Writes up to max rows of changed positions and the floor. */
void stock_flush(struct stock *s, struct txn *t, size_t max);
/* After the commit: gives the touched items to the view. */
void stock_publish(struct stock *s, int64_t now);
/* At the start: everything. */
void stock_publish_all(struct stock *s, int64_t now);

#endif
