/*
 * Replays the retail data through the shops of a sandbox into a hub, at many times its real speed.
 *
 * An order goes to POST /v1/orders and is repeated until the hub has answered for good. The channel "shop" sells only
 * what it shows (other lines are left out and counted); "portal" takes whatever a customer asks for. A cancellation
 * goes to POST /v1/orders/{id}/cancel; if that is too late the goods come back, as a return of the warehouse. Stock
 * corrections are the warehouse's. When the data ends it begins again, with -2, -3 ... behind the invoice numbers, and
 * the warehouse receives as much as it had at first.
 */
#ifndef SANDBOX_REPLAY_H
#define SANDBOX_REPLAY_H

#include "sandbox/meter.h"
#include "sandbox/retail.h"
#include "sandbox/sandbox.h"

#define REPLAY_DOCUMENTS_MAX 200000 /* then it ends: the sandbox keeps all of it */

enum replay_fate {
	REPLAY_SENDING,
	REPLAY_TAKEN,      /* order_id is set */
	REPLAY_CANCELLED,  /* by its customer, and the hub agreed */
	REPLAY_REFUSED,    /* by the hub, for good */
	REPLAY_NOT_PLACED, /* the shop showed none of it in stock */
};

struct replay_order {
	struct str external_id, order_id;
	const char *channel;
	enum replay_fate fate;
	size_t line_count;
	const struct retail_line *lines; /* that were sent; line_id is the position from 1 */
};

/* One item of the data. */
struct replay_item {
	struct str sku;       /* upper case */
	int64_t demand, lost; /* units, in one round */
	bool scarce;          /* less is there than will be asked for */
};

struct replay_counts {
	int64_t documents, sent, taken, refused, not_placed, lines_sold_out;
	int64_t cancelled, too_late, returns, adjustments, accounting, repeats;
};

struct replay_options {
	const struct retail *data;
	struct sandbox *sandbox;
	struct meter *meter;
	const struct clock *clock;
	const char *warehouse; /* the system's name */
	const char *locations[2];
	int64_t rate;      /* documents a second */
	int64_t documents; /* how many in all; 0: until it is stopped */
};

struct replay;

struct replay *replay_new(const struct replay_options *o);
void replay_free(struct replay *r); /* after replay_stop */

/* Fills the warehouse's book with what the documents of a round need, but of scarce items. Before it starts. */
void replay_stock(struct replay *r);
enum rc replay_start(struct replay *r, const char *hub, const char *key, struct err *e) MUST_CHECK;
/* Nothing new is begun; it ends when what is under way, and what is to be repeated, has been answered. */
void replay_quit(struct replay *r);
/* Waits for the end; what is under way by now is dropped if it had not ended. */
void replay_stop(struct replay *r);
bool replay_ended(const struct replay *r);
struct replay_counts replay_read(struct replay *r);

/* After replay_stop. */
size_t replay_order_count(const struct replay *r);
const struct replay_order *replay_order_at(const struct replay *r, size_t i);
/* In no order: starts with *at = 0, NULL at the end. */
const struct replay_item *replay_item_next(const struct replay *r, size_t *at);

#endif
