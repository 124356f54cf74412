/*
 * Reservations: what they hold, by the events that tell of them, and what becomes of it, by the movements.
 *
 * One that takes what there is lacks nothing that is free for it. What is committed in part is what was asked for, as
 * far as the order needs it; the rest stays held, or is free again, as was asked. The events of a commit are read
 * before its movements: what they tell is kept until the movement shows it.
 */
#include "simulate/model_books.h"

#include "base/clock.h"

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static int sum_of(const int places[MODEL_PLACES])
{
	int n = 0;

	for (int p = 0; p < MODEL_PLACES; p++)
		n += places[p];
	return n;
}

static void check_quota(struct model *m, const struct model_hold *h, int r)
{
	int quota = m->policy.channels[h->channel].quota;

	for (int i = 0; quota && i < MODEL_ITEMS; i++) {
		int held = 0;

		for (int n = 0; n < m->hold_count; n++)
			held += m->holds[n].channel == h->channel ? sum_of(m->holds[n].held[i]) : 0;
		if (h->wanted[i] > 0 && held > quota)
			model_break(m, "quota: with r%d %s holds %d of %s, it may hold %d", r,
				    model_channels[h->channel], held, model_items[i], quota);
	}
}

static int units(const struct json *line, const char *member)
{
	qty_t q = 0;

	return qty_parse(json_get_text(line, member), &q, NULL) == RC_OK ? (int)(q / QTY_ONE) : 0;
}

static void read_lines(const struct json *lines, int out[MODEL_ITEMS][MODEL_PLACES])
{
	memset(out, 0, sizeof(int[MODEL_ITEMS][MODEL_PLACES]));
	for (uint32_t i = 0; lines && i < lines->count; i++) {
		int item = model_item(json_get_text(&lines->items[i], "sku"));
		int place = model_place(json_get_text(&lines->items[i], "location"));

		if (item >= 0 && place >= 0)
			out[item][place] += units(&lines->items[i], "quantity");
	}
}

/* What it says that it has not is what it has not. */
static void check_short(struct model *m, const struct model_hold *h, int r, const struct json *list)
{
	int lacks[MODEL_ITEMS] = {0};

	for (uint32_t n = 0; list && n < list->count; n++) {
		int product = model_product(json_get_text(&list->items[n], "sku"));
		int lack = units(&list->items[n], "requested") - units(&list->items[n], "available");

		for (int i = 0; product >= 0 && i < MODEL_ITEMS; i++)
			lacks[i] += lack * model_in_one(product, i);
	}
	for (int i = 0; i < MODEL_ITEMS; i++)
		if (lacks[i] != h->wanted[i] - sum_of(h->held[i]))
			model_break(m, "reservations: r%d holds %d of %s of %d, and says that it lacks %d", r,
				    sum_of(h->held[i]), model_items[i], h->wanted[i], lacks[i]);
}

static void take_held(struct model *m, struct model_hold *h, int r, const struct json *data)
{
	int all = 0;

	if (h->seen)
		model_break(m, "once: reservation r%d is held a second time", r);
	h->seen = true;
	if (time_parse(json_get_text(data, "expires_at"), &h->expires_at, NULL) != RC_OK)
		model_break(m, "log: reservation r%d has no end", r);
	read_lines(json_get(data, "lines"), h->held);
	for (int i = 0; i < MODEL_ITEMS; i++) {
		int held = sum_of(h->held[i]);

		all += held;
		if (held > h->wanted[i] || (held < h->wanted[i] && !h->partial))
			model_break(m, "reservations: r%d holds %d of %s, its caller asked for %d", r, held,
				    model_items[i], h->wanted[i]);
	}
	if (h->partial && !all)
		model_break(m, "reservations: r%d holds nothing at all", r);
	check_short(m, h, r, json_get(data, "short"));
	check_quota(m, h, r);
	model_check_whole(m, "r", r, h->channel, h->lines, h->line_count, h->held);
}

/* ---- as much as there is ---- */

static int free_for(const struct model *m, int channel, int item)
{
	int n = 0;

	for (int i = 0; i < m->policy.channels[channel].place_count; i++)
		n += model_free_for(m, channel, item, m->policy.channels[channel].places[i]);
	return n;
}

void model_check_held(const struct model_hold *h, struct model *m, int r)
{
	bool strict = m->policy.channels[h->channel].strict;
	/* Of goods on their way, of old data, of sales that are not told yet the model knows limits only. */
	bool exactly = !strict || (!m->policy.compares && !m->policy.channels[h->channel].inbound_cap &&
				   !m->policy.channels[h->channel].max_age_ms);

	for (int i = 0; i < MODEL_ITEMS; i++) {
		int held = sum_of(h->held[i]), may = strict ? model_may_sell(m, h->channel, i) : h->wanted[i];
		int due = smaller(smaller(h->wanted[i], may), free_for(m, h->channel, i));

		if (strict && held > 0 && held > may)
			model_break(m, "policy: r%d holds %d of %s for %s, which may sell %d", r, held, model_items[i],
				    model_channels[h->channel], may);
		if (h->partial && exactly && !model_is_fenced(m, i) && !model_has_kit(h->lines, h->line_count) &&
		    held < due)
			model_break(m, "reservations: r%d takes %d of %s, and could have had %d", r, held,
				    model_items[i], due);
	}
}

void model_check_held_kits(const struct model_hold *h, struct model *m, int r)
{
	if (!h->partial || m->policy.channels[h->channel].strict || !model_has_kit(h->lines, h->line_count))
		return;
	for (int i = 0; i < MODEL_ITEMS; i++)
		if (model_is_fenced(m, i) || m->policy.discontinued >> i & 1)
			return;
	if (!model_lacks_rightly(m, h->channel, h->lines, h->line_count, h->held))
		model_break(m, "kits: r%d takes what there is, and one more of what it lacks is free", r);
}

/* ---- commits ---- */

static void check_asked(struct model *m, struct model_hold *h, int r, const struct json *data,
			int given[MODEL_ITEMS][MODEL_PLACES])
{
	const struct model_order *o = map_get(&m->by_id, json_get_text(data, "order_id"));

	if (!h->ask.asked) {
		model_break(m, "once: a part of r%d is committed that nobody asked for, or a second time", r);
		return;
	}
	h->ask.asked = false;
	if (o != &m->orders[h->ask.order])
		model_break(m, "reservations: r%d is committed to another order than o%d", r, h->ask.order);
	for (int i = 0; i < MODEL_ITEMS; i++) {
		h->due[i] = h->ask.units[i];
		if (sum_of(given[i]) > h->ask.units[i])
			model_break(m, "reservations: %d of %s are committed of r%d, its caller asked for %d",
				    sum_of(given[i]), model_items[i], r, h->ask.units[i]);
	}
}

/* What is left and what was given are what was held. */
static void take_part(struct model *m, struct model_hold *h, int r, const struct json *data, bool goes_on)
{
	int given[MODEL_ITEMS][MODEL_PLACES], left[MODEL_ITEMS][MODEL_PLACES];
	bool keeps = goes_on || (!m->reads_again && h->ask.asked && h->ask.keep_rest);

	read_lines(json_get(data, "committed"), given);
	read_lines(json_get(data, "lines"), left);
	if (!m->reads_again && goes_on && !h->ask.keep_rest)
		model_break(m, "reservations: the rest of r%d stays held, and nobody asked for that", r);
	if (!m->reads_again)
		check_asked(m, h, r, data, given);
	h->parts++;
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++) {
			int rest = h->held[i][p] - given[i][p];

			if (rest < 0 || (keeps && left[i][p] != rest))
				model_break(m,
					    "reservations: of %d of %s that r%d holds at %s %d are committed and %d "
					    "are left",
					    h->held[i][p], model_items[i], r, model_places[p], given[i][p], left[i][p]);
			if (!goes_on && keeps && rest > 0)
				model_break(m, "reservations: r%d ends, its caller keeps the rest", r);
			h->given[i][p] += given[i][p];
			h->held[i][p] = rest;
		}
}

static void take_end(struct model *m, struct model_hold *h, int r, struct str kind, const struct json *data)
{
	int lines[MODEL_ITEMS][MODEL_PLACES];

	if (!h->seen || h->ends)
		model_break(m, "once: reservation r%d ends (" STR_FMT "), and %s", r, STR_ARG(kind),
			    h->ends ? "had ended before" : "was never held");
	h->ends++;
	h->committed = str_is(kind, "committed");
	read_lines(json_get(data, "lines"), lines);
	if (json_get(data, "committed"))
		take_part(m, h, r, data, false);
	else if (memcmp(lines, h->held, sizeof(lines)) != 0)
		model_break(m, "reservations: r%d ends (" STR_FMT ") with something else than it held", r,
			    STR_ARG(kind));
	for (int i = 0; h->committed && !json_get(data, "committed") && i < MODEL_ITEMS; i++)
		h->due[i] = sum_of(h->held[i]);
	h->whole = h->committed && !json_get(data, "committed");
	memset(h->held, 0, sizeof(h->held));
}

void model_take_reservation(struct model *m, const struct model_event *row, const struct json *data)
{
	struct str kind = {row->type.p + 12, row->type.n - 12};
	int r = model_number(row->subject, 'r');

	if (r < 0 || r >= m->hold_count)
		model_break(m, "log: nobody has asked for the reservation " STR_FMT, STR_ARG(row->subject));
	else if (str_is(kind, "held"))
		take_held(m, &m->holds[r], r, data);
	else if (!str_is(kind, "committed_in_part"))
		take_end(m, &m->holds[r], r, kind, data);
	else if (!m->holds[r].seen || m->holds[r].ends)
		model_break(m, "once: a part of r%d is committed, and it is not held", r);
	else
		take_part(m, &m->holds[r], r, data, true);
}

/* An order gets what it needs of what it is to get. */
void model_take_given(struct model *m, int r, const struct model_order *o, int given[MODEL_ITEMS][MODEL_PLACES])
{
	struct model_hold *h = &m->holds[r];
	bool exactly = o && !o->blurred && !o->cancelled && !m->reads_again &&
		       !model_has_kit(o->lines, o->line_count) && !model_has_kit(h->lines, h->line_count);

	for (int i = 0; i < MODEL_ITEMS; i++) {
		int got = sum_of(given[i]), needs = o ? o->ordered[i] - o->shipped[i] - (o->allocated[i] - got) : 0;

		if (exactly && !(m->policy.discontinued >> i & 1) && got != smaller(h->due[i], needs))
			model_break(m, "reservations: of r%d the order gets %d of %s, it needs %d and is to get %d", r,
				    got, model_items[i], needs, h->due[i]);
		h->due[i] = 0;
		for (int p = 0; p < MODEL_PLACES; p++)
			h->given[i][p] -= h->whole ? 0 : given[i][p];
	}
}

void model_check_given(struct model *m, int r)
{
	for (int i = 0; !m->reads_again && i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++)
			if (m->holds[r].given[i][p])
				model_break(m,
					    "reservations: %d more of %s at %s are told to be committed of r%d than "
					    "were moved",
					    m->holds[r].given[i][p], model_items[i], model_places[p], r);
}
