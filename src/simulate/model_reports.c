/*
 * Balances that the warehouse has reported, and what a reconciliation corrects by them. A correction is a count of the
 * report's number, as of its instant, and needs a reason: something that the warehouse has not told by then, or told
 * wrong. What is only on its way is none.
 */
#include "simulate/model_books.h"

#include <stdio.h>

static bool touches(const struct model_fact *f, int item, int place)
{
	for (int i = 0; i < f->line_count; i++)
		if (model_in_one(f->lines[i].item, item) &&
		    (f->lines[i].place == place || (f->type == MOVE_MOVE && f->lines[i].to == place)))
			return true;
	return false;
}

/* "<id of the reconciliation>/A-1 at east" */
static struct model_report *report_of(struct model *m, struct str event, int *item, int *place)
{
	for (int n = 0; n < m->report_count; n++) {
		struct model_report *r = &m->reports[n];
		size_t id = strlen(r->id);
		char text[80];

		if (!id || event.n <= id || memcmp(event.p, r->id, id) != 0)
			continue;
		for (*item = 0; *item < MODEL_ITEMS; ++*item)
			for (*place = 0; *place < MODEL_PLACES; ++*place) {
				snprintf(text, sizeof(text), "%s/%s at %s", r->id, model_items[*item],
					 model_places[*place]);
				if (str_is(event, text))
					return r;
			}
	}
	return NULL;
}

bool model_correction(struct model *m, struct str event, struct model_fact *out)
{
	int item, place;
	struct model_report *r = report_of(m, event, &item, &place);

	if (!r)
		return false;
	*out = (struct model_fact){.type = MOVE_COUNT,
				   .at = r->as_of,
				   .lines = {{.item = item, .place = place, .quantity = r->theirs[item][place]}},
				   .line_count = 1,
				   .lot = MODEL_LOTS - 1,
				   .reverses = -1,
				   .applied = r->corrected[item][place],
				   .report = r};
	r->corrected[item][place] = true;
	return true;
}

static bool is_untold(const struct model *m, const struct model_report *r, int item, int place)
{
	for (int i = 0; i < m->fact_count; i++)
		if (!m->facts[i].applied && m->facts[i].at <= r->as_of && touches(&m->facts[i], item, place))
			return true;
	return false;
}

void model_check_correction(struct model *m, const struct model_fact *f, int by)
{
	int item = f->lines[0].item, place = f->lines[0].place;
	const struct model_report *r = f->report;

	if (m->reads_again || m->policy.blurred >> item & 1 || m->counted_at[item][place] > f->at)
		return;
	if (r->late[item][place] || m->strayed[item][place])
		return;
	if (!by || !is_untold(m, r, item, place))
		model_break(m, "drift: %s at %s is corrected by %d to %d, and the warehouse had told all of it",
			    model_items[item], model_places[place], by, f->lines[0].quantity);
}

void model_note_late(struct model *m, const struct model_fact *f)
{
	for (int n = 0; n < m->report_count; n++) {
		struct model_report *r = &m->reports[n];

		for (int i = 0; !r->ended && f->at <= r->as_of && i < MODEL_ITEMS; i++)
			for (int p = 0; p < MODEL_PLACES; p++)
				r->late[i][p] = r->late[i][p] || touches(f, i, p);
	}
}

void model_report_ends(struct model *m, struct str id, bool failed)
{
	for (int n = 0; n < m->report_count; n++)
		if (str_is(id, m->reports[n].id)) {
			m->reports[n].ended = true;
			m->reports[n].failed = failed;
		}
}
