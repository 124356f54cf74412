/*
 * A flash sale: the same customers, stock and network, with channels that are fed by batch exports, and with Crossdock.
 * docs/flash-sale.md says what is assumed.
 */
#ifndef SIMULATE_FLASH_H
#define SIMULATE_FLASH_H

#include "base/buf.h"
#include "base/rc.h"
#include "format/json.h"

#include <stdint.h>
#include <stdio.h>

#define FLASH_MINUTES  70 /* an hour of orders, and time for the last import */
#define FLASH_MODELS   4
#define FLASH_CHANNELS 3
/* Goods that come in during the sale: twice, of each item this part of its demand. */
#define FLASH_RECEIPTS        2
#define FLASH_RECEIPT_PERCENT 10

struct flash_options {
	const char *share, *data; /* data: the orders, as examples/online-retail has them */
	uint64_t seed;
	int scale;                      /* how often each order of the peak hour is placed; default 20 */
	int stock_percent;              /* opening stock of the hour's demand; default 60 */
	int delay_min_ms, delay_max_ms; /* of the network, one way */
};

struct flash_result {
	char name[48];
	int64_t orders, accepted_orders, accepted_units;
	int64_t oversold_units, oversold_orders;
	int64_t lost_units; /* refused while there was stock */
	double stale_mean_s, stale_p99_s;
	int64_t oversold_by[FLASH_MINUTES], lost_by[FLASH_MINUTES]; /* up to the end of each minute */
};

struct flash {
	struct flash_options options;
	char peak[32]; /* "2011-09-21 15:00" */
	int64_t peak_orders, orders, lines, units, items, stock_units;
	struct flash_result results[FLASH_MODELS];
};

enum rc flash_run(const struct flash_options *o, struct flash *out, struct err *e) MUST_CHECK;
void flash_print(const struct flash *f, FILE *out);
void flash_write_json(const struct flash *f, struct json_writer *w);
void flash_write_svg(const struct flash *f, struct buf *out);
void flash_write_html(const struct flash *f, struct buf *out);

#endif
