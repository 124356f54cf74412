/* What all models of the flash sale share: the demand, and how its fate is measured. Inside src/simulate only. */
#ifndef SIMULATE_FLASH_SALE_H
#define SIMULATE_FLASH_SALE_H

#include "base/map.h"
#include "simulate/flash.h"
#include "simulate/random.h"

#define FLASH_STARTS_AT 1772366400000 /* 2026-03-01T12:00:00Z */

struct flash_line {
	int item, quantity;
};

struct flash_order {
	int64_t at; /* ms from the start */
	int channel, line_count, number;
	struct flash_line *lines;
};

struct flash_item {
	struct str sku;
	int64_t stock, receipt; /* at the start; what comes in at each receipt */
};

struct demand {
	struct arena arena;
	struct flash_order *orders; /* by time */
	size_t order_count;
	struct flash_item *items;
	size_t item_count;
};

/* What happens in one model, and what comes of it. */
struct ledger_item {
	int64_t sold; /* promised to customers, on all channels */
	int64_t received;
	int shown[FLASH_CHANNELS];
	int64_t wrong_since[FLASH_CHANNELS]; /* -1: what is shown is true */
};

struct sale {
	const struct demand *demand;
	struct flash_result *result;
	struct ledger_item *items;
	struct dice dice; /* of the network */
	int delay_min_ms, delay_max_ms;
	int64_t *ages; /* of what customers looked at */
	size_t age_count, age_room;
};

void sale_begin(struct sale *s, const struct demand *d, const struct flash_options *o, struct flash_result *r);
void sale_end(struct sale *s);
int64_t sale_delay(struct sale *s);
extern const int64_t flash_receipts_at[FLASH_RECEIPTS];
/* Goods come in. */
void sale_receive(struct sale *s, int64_t now);
/* Of an item: what was there and came in, less what was promised. May be below nothing. */
int64_t sale_balance(const struct sale *s, int item);
/* A channel shows another number from now on. */
void sale_show(struct sale *s, int64_t now, int channel, int item, int64_t number);
/* A customer looks: does the channel show enough? If not, it is lost, unless there is none. */
bool sale_look(struct sale *s, int64_t now, int channel, const struct flash_line *l);
/* Shown, and refused all the same, by whoever decides. */
void sale_refused(struct sale *s, int64_t now, const struct flash_line *l);
/* The customer has got a promise for these lines. */
void sale_accept(struct sale *s, int64_t now, const struct flash_line *lines, int count);

void flash_batch(struct sale *s, int64_t interval_ms);
enum rc flash_crossdock(struct sale *s, const struct flash_options *o, struct err *e) MUST_CHECK;

#endif
