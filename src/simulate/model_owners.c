/*
 * Consigned stock: what others own, by whom. It changes by what its warehouse said of that owner, or by what an order
 * had of it; it is promised to the channels that sell that owner's, after ours and in the channel's order, never more
 * than is free; and what came and left is told once, so that the owner can be paid.
 */
#include "simulate/model_books.h"

const char *const model_owners[MODEL_OWNERS] = {"acme", "globex"};

static bool is_promise(enum stock_state s)
{
	return s == STOCK_HELD || s == STOCK_ALLOCATED;
}

/* Where an owner comes in what the channel sells; -1: nowhere. */
static int rank_of(const struct model *m, int channel, int owner)
{
	for (int i = 0; i < m->policy.channels[channel].owner_count; i++)
		if (m->policy.channels[channel].owners[i] == owner)
			return i;
	return -1;
}

static int free_of_owners(const struct model *m, int channel, int item, int place)
{
	int n = 0;

	for (int i = 0; i < m->policy.channels[channel].owner_count; i++)
		n += m->theirs[m->policy.channels[channel].owners[i]][item][place][STOCK_FREE];
	return n;
}

/* What ours owes may be what has left of theirs. */
int model_consigned_for(const struct model *m, int channel, int item, int place, int ours)
{
	int theirs = free_of_owners(m, channel, item, place) + (ours < 0 ? ours : 0);

	return theirs > 0 ? theirs : 0;
}

int model_free_for(const struct model *m, int channel, int item, int place)
{
	int ours = m->states[item][place][STOCK_FREE];

	return (ours > 0 ? ours : 0) + model_consigned_for(m, channel, item, place, ours);
}

void model_take_theirs(struct model *m, const struct model_movement *row, struct model_order *o, struct model_theirs *t,
		       const struct entry *e, const struct model_line *l)
{
	int owner = model_find(model_owners, MODEL_OWNERS, e->owner), item = l->item;
	int(*states)[STOCK_STATES] = owner < 0 ? NULL : m->theirs[owner][item];

	if (!states) {
		model_break(m, "owners: movement %lld is of stock of " STR_FMT ", who has none", (long long)row->seq,
			    STR_ARG(e->owner));
		return;
	}
	if (e->from != STOCK_OUTSIDE) {
		states[l->place][e->from] -= l->quantity;
		t->delta[owner][item][l->place] -= l->quantity;
	}
	if (e->to != STOCK_OUTSIDE) {
		states[l->to][e->to] += l->quantity;
		t->delta[owner][item][l->to] += l->quantity;
	}
	if (e->from != STOCK_OUTSIDE && e->from != STOCK_FREE && states[l->place][e->from] < 0)
		model_break(m, "owners: movement %lld leaves %d units %s of %s of %s at %s", (long long)row->seq,
			    states[l->place][e->from], stock_state_name(e->from), model_owners[owner],
			    model_items[item], model_places[l->place]);
	if (e->from == STOCK_ALLOCATED || e->from == STOCK_PICKED)
		t->of_order[owner][item][l->place] += l->quantity;
	if (e->from == STOCK_FREE && is_promise(e->to))
		t->promised[owner][item][l->place] += l->quantity;
	if (e->from == STOCK_OUTSIDE || e->to == STOCK_OUTSIDE) {
		m->untold[owner][item] += l->quantity;
		if (o && str_is(row->type, "ship"))
			o->sold[owner][item] += l->quantity;
	}
}

static void check_promise(struct model *m, const struct model_movement *row, int channel, int owner, int item,
			  int place)
{
	int ours = m->states[item][place][STOCK_FREE], rank = channel < 0 ? -1 : rank_of(m, channel, owner);
	int left = m->theirs[owner][item][place][STOCK_FREE];

	if (rank < 0) {
		model_break(m, "owners: movement %lld promises %s of %s at %s to %s, who does not sell it",
			    (long long)row->seq, model_items[item], model_owners[owner], model_places[place],
			    channel < 0 ? "nobody" : model_channels[channel]);
		return;
	}
	if (left < 0 || free_of_owners(m, channel, item, place) + (ours < 0 ? ours : 0) < 0)
		model_break(m, "owners: movement %lld promises more of %s at %s than is free: of %s %d, of ours %d",
			    (long long)row->seq, model_items[item], model_places[place], model_owners[owner], left,
			    ours);
	if (ours > 0 && !model_is_fenced(m, item))
		model_break(m, "owners: movement %lld promises %s of %s at %s, while %d of ours are free",
			    (long long)row->seq, model_items[item], model_owners[owner], model_places[place], ours);
	for (int i = 0; i < rank; i++) {
		int before = m->policy.channels[channel].owners[i];

		if (m->theirs[before][item][place][STOCK_FREE] > 0)
			model_break(m, "owners: movement %lld promises %s of %s at %s, while %d of %s come first",
				    (long long)row->seq, model_items[item], model_owners[owner], model_places[place],
				    m->theirs[before][item][place][STOCK_FREE], model_owners[before]);
	}
}

/* A shipment that does not say whose it is takes what its order has; that is not ours, then. */
static int open_part(struct model *m, const struct model_movement *row, const struct model_theirs *t, int owner,
		     int item, int place, int said)
{
	int part = said - t->delta[owner][item][place];

	if (part < 0 || part > t->of_order[owner][item][place])
		model_break(m, "owners: movement %lld takes %d of %s of %s at %s, of which its order had %d",
			    (long long)row->seq, part, model_items[item], model_owners[owner], model_places[place],
			    t->of_order[owner][item][place]);
	return part;
}

void model_check_theirs(struct model *m, const struct model_movement *row, const struct model_theirs *t,
			const struct model_fact *f, int channel, int expected[MODEL_ITEMS][MODEL_PLACES])
{
	bool open = f && row->order_id.n && (f->type == MOVE_SHIP || f->type == MOVE_PICK);

	for (int n = 0; n < MODEL_OWNERS * MODEL_ITEMS * MODEL_PLACES; n++) {
		int o = n / MODEL_ITEMS / MODEL_PLACES, i = n / MODEL_PLACES % MODEL_ITEMS, p = n % MODEL_PLACES;
		int said = t->said[o][i][p], part = 0;

		if (t->promised[o][i][p])
			check_promise(m, row, channel, o, i, p);
		if (open)
			part = open_part(m, row, t, o, i, p, said);
		expected[i][p] += part;
		if (t->delta[o][i][p] != said - part)
			model_break(
			    m, "owners: movement %lld changes what %s has of %s at %s by %d, its warehouse said %d",
			    (long long)row->seq, model_owners[o], model_items[i], model_places[p], t->delta[o][i][p],
			    said - part);
	}
}

/* ---- settlement ---- */

void model_read_consigned(const struct json *list, int out[MODEL_OWNERS][MODEL_ITEMS])
{
	memset(out, 0, sizeof(int[MODEL_OWNERS][MODEL_ITEMS]));
	for (uint32_t n = 0; list && n < list->count; n++) {
		const struct json *one = &list->items[n];
		int owner = model_find(model_owners, MODEL_OWNERS, json_get_text(one, "owner"));
		int item = model_item(json_get_text(one, "sku"));
		bool outside =
		    str_is(json_get_text(one, "from"), "outside") || str_is(json_get_text(one, "to"), "outside");
		qty_t q = 0;

		if (owner >= 0 && item >= 0 && outside && qty_parse(json_get_text(one, "quantity"), &q, NULL) == RC_OK)
			out[owner][item] += (int)(q / QTY_ONE);
	}
}

void model_take_consigned(struct model *m, const struct json *data)
{
	int told[MODEL_OWNERS][MODEL_ITEMS];

	model_read_consigned(json_get(data, "consigned"), told);
	for (int o = 0; o < MODEL_OWNERS; o++)
		for (int i = 0; i < MODEL_ITEMS; i++)
			m->untold[o][i] -= told[o][i];
}

void model_check_settled(struct model *m)
{
	for (int o = 0; o < MODEL_OWNERS; o++)
		for (int i = 0; i < MODEL_ITEMS; i++)
			if (m->untold[o][i])
				model_break(
				    m, "owners: of what came and left of %s of %s %d more units were moved than told",
				    model_items[i], model_owners[o], m->untold[o][i]);
}
