/*
 * Publishing availability: what each channel is to be told, newest value only.
 *
 * Nothing is queued per change. For every item and channel there is what the channel was told and what it should be
 * told; items where the two differ are on the channel's lists of changes. When no availability delivery of the channel
 * is under way, one is cut from the lists: as many items as the connector takes in one request. What went to zero goes
 * first, then what the channel sells much of before what it sells little of (nothing waits behind that for more than
 * PUBLISH_STARVED_MS); a change that leaves plenty (threshold) may wait for max_wait. What is told anew though nothing
 * has happened to it, which may be everything, comes after all of these, with a share of its own, so that a full
 * resynchronisation does not delay what sells. So batches grow by themselves while a request is under way, and a newer
 * value replaces an older one that was not sent. A delivery that did not get through and has since been overtaken is
 * superseded when it would be tried again: its items go back to the list.
 *
 * An item that a channel was never told of is told when it is recorded (it has a record, or a position), zero included.
 *
 * With each number goes what we believe that the channel shows: what it was told, less the orders that it has sent
 * since. Where the channel compares and shows less, it has sold units that it has not told us of: the gap is kept back
 * from all channels that share a location (terms.h) until the orders come, or for the channel's `provisional`. Of a
 * request whose earlier try may have got through, a channel that does not know its key refuses the repeat, because it
 * shows what it was told: that is no sale.
 *
 * What a channel was told is on the disk in its deliveries; the rows of the table publication are a snapshot that is
 * written some at a time, as the stock positions' are (publish_flush). meta.publication_floor says after which delivery
 * the outbox has to be read again at the start, meta.publication_orders after which order the orders have to be, so
 * that what is believed of a channel outlives a restart. Writer only.
 */
#ifndef ORCHESTRATE_STOCK_PUBLISH_H
#define ORCHESTRATE_STOCK_PUBLISH_H

#include "orchestrate/order/order.h"
#include "orchestrate/stock/stock.h"

#define PUBLISH_STARVED_MS 10000

struct publisher;

struct publisher *publisher_new(const struct config_tenant *tenant, struct stock *stock);
void publisher_free(struct publisher *p); /* before the stock */

/* Loading: meta.publication_floor and publication_orders, what a channel was told (R_PUBLICATIONS; sold,
 * PUBLISH_UNKNOWN: nobody knows what it shows, by its orders up to `orders`), then the deliveries after the floor in
 * order (R_AVAILABILITY_AFTER), then the orders after publication_orders in order (R_ORDERS_SOLD). */
#define PUBLISH_UNKNOWN ((qty_t)-1)
void publish_load_floor(struct publisher *p, int64_t delivery, int64_t orders);
void publish_load(struct publisher *p, struct str channel, struct str sku, qty_t told, int64_t version, qty_t sold,
		  int64_t orders);
/* attempts: of one that is open, which may have got through (publish_doubt). */
void publish_load_delivery(struct publisher *p, uint16_t system, int64_t seq, enum delivery_status status,
			   uint32_t attempts, const struct json *params);
enum rc publish_load_order(struct publisher *p, int64_t seq, struct str channel, struct str progress,
			   struct err *e) MUST_CHECK;
/* meta "heard:<system>": its last message. */
void publish_load_heard(struct publisher *p, struct str name, int64_t at);
/* After the floor's deliveries and before publish_load_done: what is too old now. */
void publish_load_ages(struct publisher *p, int64_t now);
/* After loading: compares everything. */
void publish_load_done(struct publisher *p, int64_t now);

/* At the end of a batch: compares the touched items, and cuts deliveries where a channel is free. */
void publish_step(struct publisher *p, struct order_book *orders, struct txn *t);

/* When publish_step has something to cut that lingers now; INT64_MAX: nothing. */
int64_t publish_next(const struct publisher *p);
/* Writes up to max rows of what was told, and the floor. */
void publish_flush(struct publisher *p, struct txn *t, size_t max);
bool publish_dirty(const struct publisher *p);

/* The delivery is about to be tried (again): false if it is overtaken; it is then superseded by the next cut. */
bool publish_start(struct publisher *p, uint16_t system, int64_t seq, uint32_t attempts);
/* It was sent, and nobody knows whether it got through: it will be sent again. */
void publish_doubt(struct publisher *p, uint16_t system, int64_t seq);
enum publish_result {
	PUBLISH_DELIVERED,
	PUBLISH_OVERTAKEN, /* its items go back to the list */
	PUBLISH_FAILED,    /* for good: its items wait for their next change, a person has to look */
};
/* It has ended. stale: items that the channel compared and refused, or NULL. */
void publish_end(struct publisher *p, uint16_t system, int64_t seq, enum publish_result result,
		 const struct json *stale, int64_t now);
/* A channel was found to show this: it is told again what it should. */
void publish_shown(struct publisher *p, uint16_t system, struct str sku, qty_t shown, int64_t now);
/* The items that these params of a delivery name are told anew, with what is true now. */
void publish_again(struct publisher *p, struct txn *t, uint16_t system, const struct json *params);
/* An order of the channel has come: it has taken the quantity off what it shows. */
void publish_sold(struct publisher *p, struct txn *t, uint16_t channel, struct stock_item *item, qty_t quantity);
/* A system has sent something. */
void publish_heard(struct publisher *p, struct str source, int64_t now);
/* When the record of a location was heard of last; 0: never, -1: it has none. */
int64_t publish_heard_at(const struct publisher *p, uint16_t location);
/* After the commit: readers see it. */
void publish_show_heard(struct publisher *p, struct stock_view *v);
size_t publish_stale_locations(const struct publisher *p, uint16_t channel);
/* The index of the system that speaks for what is at a location; -1: none. */
int stock_record_of(const struct config_tenant *t, uint16_t location);
/* When the oldest change that the delivery carries was made; 0 if it is not the one under way. */
int64_t publish_changed_at(const struct publisher *p, uint16_t system, int64_t seq);

#endif
