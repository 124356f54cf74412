/* The model's books: model.c reads the log, model_stock.c keeps what is there, model_orders.c what was ordered,
 * model_holds.c what is reserved, model_kits.c what kits are made of, model_reports.c what the warehouse reported,
 * model_policy.c what may be sold and was told. Inside the model only. */
#ifndef SIMULATE_MODEL_BOOKS_H
#define SIMULATE_MODEL_BOOKS_H

#include "format/json.h"
#include "simulate/model.h"

int model_find(const char *const *names, int count, struct str name); /* -1: none of them */
void model_chain(uint64_t *chain, int64_t seq, struct str a, struct str b);

void model_take_order(struct model *m, const struct model_event *row, const struct json *data);
void model_take_shipment(struct model *m, const struct model_event *row, const struct json *data);
/* It has no more than it needs; what it has is added to the sums. */
void model_check_order(struct model *m, int n, int allocated[MODEL_ITEMS]);

/* model_holds.c */
void model_take_reservation(struct model *m, const struct model_event *row, const struct json *data);
/* Before and after the movement by which it is held: as much as there is, no more than its channel may have. */
void model_check_held(const struct model_hold *h, struct model *m, int r);
void model_check_held_kits(const struct model_hold *h, struct model *m, int r);
/* What a commit's movement has given to the order, by its entries. */
void model_take_given(struct model *m, int r, const struct model_order *o, int given[MODEL_ITEMS][MODEL_PLACES]);
/* Of what was told and what was moved neither is more. */
void model_check_given(struct model *m, int r);

/* model_owners.c */
struct model_theirs { /* of a movement */
	int delta[MODEL_OWNERS][MODEL_ITEMS][MODEL_PLACES], said[MODEL_OWNERS][MODEL_ITEMS][MODEL_PLACES];
	int promised[MODEL_OWNERS][MODEL_ITEMS][MODEL_PLACES]; /* of what was free */
	int of_order[MODEL_OWNERS][MODEL_ITEMS][MODEL_PLACES]; /* of what an order had */
};
/* l: item, places, units of the entry. */
void model_take_theirs(struct model *m, const struct model_movement *row, struct model_order *o, struct model_theirs *t,
		       const struct entry *e, const struct model_line *l);
/* f: NULL: no fact. expected: of ours; what a shipment took of theirs is taken off. */
void model_check_theirs(struct model *m, const struct model_movement *row, const struct model_theirs *t,
			const struct model_fact *f, int channel, int expected[MODEL_ITEMS][MODEL_PLACES]);
/* Of the channel's owners, with so much of ours free at the place. */
int model_consigned_for(const struct model *m, int channel, int item, int place, int ours);
/* Told in a movement. */
void model_take_consigned(struct model *m, const struct json *data);
void model_check_settled(struct model *m);

/* model_serials.c */
/* stale: an older count than the last of its place. */
void model_take_serials(struct model *m, struct model_fact *f, bool stale);
void model_take_drift(struct model *m, const struct json *data);
void model_check_drift(struct model *m);

/* model_reports.c */
/* The count by which a reconciliation corrects, as its warehouse reported it. False: it is none. */
bool model_correction(struct model *m, struct str event, struct model_fact *out);
void model_check_correction(struct model *m, const struct model_fact *f, int by);
void model_note_late(struct model *m, const struct model_fact *f);
void model_report_ends(struct model *m, struct str id, bool failed);

/* What these lines have of each item at each place makes what was ordered of items, and whole kits. */
void model_check_whole(struct model *m, const char *what, int number, int channel, const struct model_line *lines,
		       int line_count, int has[MODEL_ITEMS][MODEL_PLACES]);
/* Does nothing of what a channel lacks of these lines lie about free? */
bool model_lacks_rightly(const struct model *m, int channel, const struct model_line *lines, int line_count,
			 const int has[MODEL_ITEMS][MODEL_PLACES]);

void model_take_told(struct model *m, const struct model_event *row, const struct json *data);
bool model_is_fenced(const struct model *m, int item);
void model_take_fences(struct model *m, const struct json *data);
/* In which order a commit set ring-fences and took stock is not told: until its end a new one binds nobody. */
void model_settle_fences(struct model *m);

#endif
