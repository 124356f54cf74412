/*
 * Kits: what an order or a reservation has of their components makes whole ones, and nothing waits that could be had.
 *
 * The log says what an order has of an item at a place, not for which of its lines. So all ways to read it as kits and
 * items of themselves are tried; a promise is broken if there is none that keeps it. With three lines of a few units
 * there are few.
 */
#include "simulate/model_books.h"

struct reading {
	const struct model *model;
	int channel, places;
	int has[MODEL_ITEMS][MODEL_PLACES];
	int left[MODEL_PRODUCTS]; /* of what was ordered, not found yet */
	bool (*found)(const struct reading *r);
};

bool model_has_kit(const struct model_line *lines, int count)
{
	for (int i = 0; i < count; i++)
		if (lines[i].item >= MODEL_ITEMS)
			return true;
	return false;
}

static void begin(struct reading *r, const struct model *m, int channel, const struct model_line *lines, int count)
{
	bool split = m->policy.channels[channel].split_kits;

	*r = (struct reading){.model = m, .channel = channel, .places = split ? 1 : MODEL_PLACES};
	for (int i = 0; i < count; i++)
		r->left[lines[i].item] += lines[i].quantity;
}

static void put(struct reading *r, int has[MODEL_ITEMS][MODEL_PLACES])
{
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++)
			r->has[i][r->places == 1 ? 0 : p] += has[i][p];
}

static bool read_place(const struct reading *r, int place);

static int at_most(const struct reading *r, int place, int kit)
{
	int most = r->left[MODEL_ITEMS + kit];

	for (int i = 0; i < MODEL_ITEMS; i++)
		if (model_kits[kit][i] && r->has[i][place] / model_kits[kit][i] < most)
			most = r->has[i][place] / model_kits[kit][i];
	return most;
}

/* What of an item is there for itself, with so many kits. */
static int plain(const struct reading *r, int place, int item, const int kits[MODEL_KITS])
{
	int n = r->has[item][place];

	for (int k = 0; k < MODEL_KITS; k++)
		n -= kits[k] * model_kits[k][item];
	return n;
}

static bool read_rest(const struct reading *r, int place, const int kits[MODEL_KITS])
{
	struct reading next;

	for (int i = 0; i < MODEL_ITEMS; i++)
		if (plain(r, place, i, kits) < 0 || plain(r, place, i, kits) > r->left[i])
			return false;
	next = *r;
	for (int k = 0; k < MODEL_KITS; k++)
		next.left[MODEL_ITEMS + k] -= kits[k];
	for (int i = 0; i < MODEL_ITEMS; i++)
		next.left[i] -= plain(r, place, i, kits);
	return read_place(&next, place + 1);
}

static bool read_place(const struct reading *r, int place)
{
	int kits[MODEL_KITS];

	_Static_assert(MODEL_KITS == 2, "one loop each");
	if (place == r->places)
		return !r->found || r->found(r);
	for (kits[0] = at_most(r, place, 0); kits[0] >= 0; kits[0]--)
		for (kits[1] = at_most(r, place, 1); kits[1] >= 0; kits[1]--)
			if (read_rest(r, place, kits))
				return true;
	return false;
}

void model_check_whole(struct model *m, const char *what, int number, int channel, const struct model_line *lines,
		       int line_count, int has[MODEL_ITEMS][MODEL_PLACES])
{
	struct reading r;

	if (!model_has_kit(lines, line_count))
		return;
	begin(&r, m, channel, lines, line_count);
	put(&r, has);
	if (!read_place(&r, 0))
		model_break(m,
			    "kits: what %s%d has makes no whole kits: %d %d %d of %s, %d %d %d of %s, %d %d %d of %s",
			    what, number, has[0][0], has[0][1], has[0][2], model_items[0], has[1][0], has[1][1],
			    has[1][2], model_items[1], has[2][0], has[2][1], has[2][2], model_items[2]);
}

static int free_at(const struct reading *r, int item, int place)
{
	return model_free_for(r->model, r->channel, item, place);
}

static bool is_free(const struct reading *r, int product)
{
	const int *places = r->model->policy.channels[r->channel].places;
	int count = r->model->policy.channels[r->channel].place_count;
	bool together = r->model->policy.channels[r->channel].split_kits;

	for (int n = 0; n < count; n++) {
		bool here = true;

		for (int i = 0; i < MODEL_ITEMS; i++)
			here = here && model_in_one(product, i) <= free_at(r, i, places[n]);
		if (here)
			return true;
	}
	for (int i = 0; together && i < MODEL_ITEMS; i++) {
		int there = 0;

		for (int n = 0; n < count; n++)
			there += free_at(r, i, places[n]);
		together = model_in_one(product, i) <= there;
	}
	return together;
}

/* Nothing that is lacking is free; what is lacking of a discontinued item is not waited for. */
static bool lacks_rightly(const struct reading *r)
{
	for (int product = 0; product < MODEL_PRODUCTS; product++)
		if (r->left[product] > 0 && !(r->model->policy.discontinued >> product & 1) && is_free(r, product))
			return false;
	return true;
}

bool model_lacks_rightly(const struct model *m, int channel, const struct model_line *lines, int line_count,
			 const int has[MODEL_ITEMS][MODEL_PLACES])
{
	int copy[MODEL_ITEMS][MODEL_PLACES];
	struct reading r;

	memcpy(copy, has, sizeof(copy));
	begin(&r, m, channel, lines, line_count);
	put(&r, copy);
	r.found = lacks_rightly;
	return read_place(&r, 0);
}

bool model_waits_for_nothing(const struct model *m, const struct model_order *o)
{
	return !model_lacks_rightly(m, o->channel, o->lines, o->line_count, o->has);
}
