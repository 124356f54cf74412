/* What publish.c, publish_load.c and publish_age.c share. */
#ifndef ORCHESTRATE_STOCK_PUBLISH_INTERNAL_H
#define ORCHESTRATE_STOCK_PUBLISH_INTERNAL_H

#include "orchestrate/stock/publish.h"

#define UNKNOWN PUBLISH_UNKNOWN

/*
 * Of what is to be told: what goes first. FAST to SLOW by how much the channel sells of it. ANEW is what would be
 * SLOW, but differs although nothing has happened to it: other terms after a start, a location that has become stale or
 * fresh. It may be all there is, so it has what the others leave, and one item in PUBLISH_ANEW_EVERY.
 */
enum change_list { LIST_NONE, LIST_URGENT, LIST_FAST, LIST_BRISK, LIST_STEADY, LIST_SLOW, LIST_ANEW, LIST_CALM, LISTS };
#define PUBLISH_ANEW_EVERY 8

/* What a channel was told of an item. Small: there is one for each item and channel. */
struct publication {
	qty_t told;            /* the number of the last delivery that was cut; UNKNOWN: never, or it failed */
	int64_t version;       /* of told */
	struct change *change; /* what is not settled; NULL: nothing */
	uint32_t speed_at;     /* of speed: hours since 1970 */
	uint16_t speed;        /* sales, halved every hour, in 1/16 */
	bool confirmed;        /* the channel is believed to show it; if there is a change, that knows better */
};

struct change {
	struct stock_item *item;
	struct change *next, *previous; /* on its list */
	enum change_list list;
	bool in_flight;
	uint32_t flight;     /* while it is in flight: which of the channel's items */
	qty_t current;       /* what the channel should be told */
	qty_t expected;      /* what we believe it shows */
	qty_t at_most;       /* while nobody knows what it shows: what it may be told if it must not rise */
	int64_t changed_at;  /* since when current is not told */
	int64_t dirty_since; /* the first delivery that is not in its row; 0: its row is right */
	int64_t orders;      /* while it is dirty: orders up to here are in its row */
	int64_t counted;     /* while loading: orders up to here are taken off what is believed, */
	qty_t sold;          /* so much; it may be more than was told */
	struct change *next_dirty;
};

struct list {
	struct change *first, *last;
};

struct flight_item {
	struct change *change;
	qty_t told, expected; /* expected: what was surely believed when it was sent */
	qty_t sold;           /* since, by orders that have come */
};

struct channel {
	const struct config_channel *config;
	const struct config_system *system;
	uint16_t index;
	size_t batch; /* 0: the connector cannot be told */
	struct list lists[LISTS];
	int64_t under_way; /* seq of the delivery; 0: none */
	bool in_doubt;     /* an earlier try of it may have got through */
	int64_t changed_at;
	int64_t lingers_until;
	unsigned since_anew; /* items that were taken since the last one that is told anew */
	struct flight_item *items;
	size_t item_count;
	struct change *dirty, *dirty_last; /* rows to write, the one that is longest wrong first */
	struct change **untold;            /* in this batch: what is stored is not what is so now */
	size_t untold_count, untold_room;
};

/* How old a channel lets the data of a system of record become, at the locations that both have. */
struct age {
	uint16_t channel, system;
	bool stale;
	struct location_set locations;
};

struct publisher {
	const struct config_tenant *tenant;
	struct stock *stock;
	struct channel *channels;
	struct age *ages;
	size_t age_count;
	int64_t *heard, *heard_written; /* by system: its last message; 0: never */
	bool *records;                  /* by system: some location's record */
	bool heard_dirty, heard_unseen; /* has no row yet; readers do not see it yet */
	int64_t orders;                 /* that have come before this batch */
	int64_t orders_floor;           /* orders up to here are in the rows */
	int64_t delivery_floor;         /* when it was loaded */
	size_t sweep;                   /* items of stock->list that are to be compared again, from the end */
};

struct publication *publication_of(struct publisher *p, struct stock_item *item, uint16_t channel);
struct change *change_of(struct publisher *p, struct channel *c, struct stock_item *item);
struct channel *publish_channel(const struct publisher *p, uint16_t system); /* NULL: it is none */
void publish_compare(struct publisher *p, struct stock_item *item, int64_t now);
/* The same of an item to which nothing has happened. */
void publish_compare_anew(struct publisher *p, struct stock_item *item, int64_t now);
void publish_compare_one(struct publisher *p, struct channel *c, struct stock_item *item, int64_t now);
/* Forgets the change if nothing is open any more. */
void publish_settle(struct channel *c, struct change *ch);
/* The change that goes first, without those that may wait; NULL: none. */
struct change *publish_news(struct channel *c, int64_t now);
void publish_speed_add(struct publication *pub, int64_t now);
/* told may be UNKNOWN: it is a quantity like any other. */
void publish_write_row(struct channel *c, struct txn *t, const struct stock_item *item);
void publish_mark_dirty(const struct publisher *p, struct channel *c, struct change *ch, int64_t seq);
/* Its row is written with this batch. */
void publish_write_soon(struct channel *c, struct change *ch);
/* The channel has sold so many of what it shows. */
void publish_take_off(struct publisher *p, struct channel *c, struct stock_item *item, qty_t quantity,
		      int64_t next_delivery);

/* publish_age.c */
void age_init(struct publisher *p);
void age_step(struct publisher *p, struct txn *t); /* at the end of a batch */
int64_t age_next(const struct publisher *p);

#endif
