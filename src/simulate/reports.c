/*
 * The warehouse reports what it has, as of an instant, and the real reconciliation compares and corrects. Some of what
 * happens there it never tells, or tells twice as if it were two: then there is something to correct.
 */
#include "simulate/world.h"

#include "connect/reconcile.h"

#define GIVE_AGAIN_MS 500
#define GIVE_TRIES    20
#define MUTATE_BY_MS  40000

static struct model_report *newest(const struct world *w)
{
	return w->model->report_count ? &w->model->reports[w->model->report_count - 1] : NULL;
}

bool report_under_way(const struct world *w)
{
	const struct model_report *r = newest(w);

	return r && !r->ended && !r->failed;
}

/* Nobody can say whether what happens at the same instant is in it. */
static bool is_sharp(const struct world *w)
{
	return w->model->fact_count == 0 || w->model->facts[w->model->fact_count - 1].at < w->now - 1;
}

static void take_stock(struct world *w, struct model_report *r)
{
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++) {
			int *here = &w->physical[i][p];

			if (*here < 0) { /* it has shipped what it had not booked */
				*here = 0;
				w->model->strayed[i][p] = true;
			}
			r->theirs[i][p] = *here;
		}
}

static struct str page_text(struct world *w, const struct model_report *r)
{
	int64_t as_of = r->as_of + (w->mutation == MUTATE_AS_OF ? MUTATE_BY_MS : 0);
	struct str items = STR_NONE;
	char at[TIME_TEXT];

	w->mutated |= w->mutation == MUTATE_AS_OF;
	time_format(as_of, at);
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; p < MODEL_PLACES; p++)
			items = world_text(w, STR_FMT "%s{'sku':'%s','location':'%s','quantity':'%d'}", STR_ARG(items),
					   items.n ? "," : "", model_items[i], model_places[p], r->theirs[i][p]);
	return world_text(w, "{'as_of':'%s','last':true,'items':[" STR_FMT "]}", at, STR_ARG(items));
}

/* By then messages have had time to arrive; what comes later may cross the judgement. */
static void settle(struct world *w, void *arg)
{
	struct model_report *r = arg;

	(void)w;
	memset(r->late, 0, sizeof(r->late));
}

static void give(struct world *w, void *arg)
{
	struct call *c = arg;
	struct model_report *r = &w->model->reports[c->number];
	struct err e = ERR_NONE;
	struct findings f;
	enum rc rc = RC_RETRY;

	if (r->ended || r->failed)
		return;
	arena_reset(&w->scratch);
	findings_init(&f, &w->scratch);
	if (w->reconciler && hub_ready(w->hub))
		rc = reconciler_give(w->reconciler, w->hub, str_from(r->id), page_text(w, r), &f, &e);
	if (rc == RC_INVALID)
		world_break(w, "the simulation made a bad report: %s", e.detail);
	if (rc == RC_OK || ++c->order > GIVE_TRIES) {
		r->failed = rc != RC_OK;
		world_say(w, "report %d is given: %s", c->number, rc == RC_OK ? "compared" : e.code);
		w->reconciler_at = w->now;
		return;
	}
	world_later(w, GIVE_AGAIN_MS, give, c);
}

void report_heard(struct world *w, struct call *c)
{
	struct model_report *r = &w->model->reports[c->number];

	if (c->status >= 300) {
		r->failed = true;
		return;
	}
	memcpy(r->id, c->id, sizeof(r->id) - 1);
	c->order = 0;
	give(w, c);
}

bool send_report(struct world *w)
{
	struct model *m = w->model;
	struct model_report *r = &m->reports[m->report_count];
	struct call *c;

	if (m->report_count == MODEL_REPORTS || report_under_way(w) || !is_sharp(w))
		return false;
	c = call_new(w, CALL_RECONCILE, m->report_count, world_text(w, "{'report':%d}", m->report_count));
	if (!c)
		return false;
	*r = (struct model_report){.as_of = w->now - 1};
	take_stock(w, r);
	m->report_count++;
	c->source = STR("wms");
	c->key = world_text(w, "key-report%d", c->number);
	world_later(w, w->tenant->systems[SYSTEM_WMS].reconcile.settle_ms, settle, r);
	call_send(w, c, 0);
	return true;
}

static void stray(struct world *w, const struct model_fact *f)
{
	for (int i = 0; i < f->line_count; i++) {
		w->model->strayed[f->lines[i].item][f->lines[i].place] = true;
		if (f->type == MOVE_MOVE)
			w->model->strayed[f->lines[i].item][f->lines[i].to] = true;
	}
}

bool report_forgets(struct world *w, const struct model_fact *f, int number)
{
	bool doubtful = f->type == MOVE_CLEAR || f->type == MOVE_COUNT || f->type == MOVE_REVERSE;
	struct model_fact *other;
	int twin;

	if (!world_has(w, FEATURE_REPORTS) || w->calm)
		return false;
	/* It may clear more than it had, and others may have happened at the instant of a count. */
	if (doubtful) {
		stray(w, f);
		return false;
	}
	if (dice_chance(&w->dice, 60)) {
		world_say(w, "the warehouse never tells m%d, a %s", number, movement_type_name(f->type));
		return true;
	}
	if (f->type == MOVE_RECEIVE && dice_chance(&w->dice, 60) && (other = fact_new(w, f->type, &twin))) {
		*other = *f;
		stray(w, f);
		world_say(w, "the warehouse tells m%d once more as m%d", number, twin);
		send_fact(w, other, twin, STR_NONE, 0);
	}
	return false;
}

/* After a report in quiet times the books are the warehouse's, of items that they know. */
void check_reported(struct world *w)
{
	const struct model_report *r = newest(w);

	if (!r || r->failed || !r->ended) {
		world_break(w, "drift: a reconciliation in quiet times does not come to its end");
		return;
	}
	for (int i = 0; i < MODEL_ITEMS; i++)
		for (int p = 0; !(w->model->policy.blurred >> i & 1) && p < MODEL_PLACES; p++)
			if (w->model->known[i] && model_on_hand(w->model, i, p) != w->physical[i][p])
				world_break(w,
					    "drift: after a reconciliation the books have %d of %s at %s, the "
					    "warehouse has %d",
					    model_on_hand(w->model, i, p), model_items[i], model_places[p],
					    w->physical[i][p]);
}
