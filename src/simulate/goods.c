/* What makes goods more than a number: lots that expire, other owners, cases, goods on their way, corrections. */
#include "simulate/world.h"

#define OWNED_ITEM        0
#define CASES_ITEM        1
#define LOTS_ITEM         2
#define DISCONTINUED_ITEM 3
#define OFF_SITE_ITEM     4 /* on order, announced, transferred; never counted then */

static const char *const expires[MODEL_LOTS] = {"2026-04-01", "2026-05-01", ""};

static bool is_off_site(const struct world *w)
{
	return world_has(w, FEATURE_PURCHASES) || world_has(w, FEATURE_TRANSFERS);
}

bool goods_countable(const struct world *w, int item)
{
	/* Before its record says that there are lots, a count is of what has none. */
	if (item == LOTS_ITEM && world_has(w, FEATURE_LOTS))
		return w->model->recorded[item];
	/* Whose the units are that a late shipment took, nobody can say. */
	if (item == OWNED_ITEM && world_has(w, FEATURE_CONSIGNED))
		return false;
	return item != OFF_SITE_ITEM || !is_off_site(w);
}

int goods_blurred(const struct world *w)
{
	return (world_has(w, FEATURE_LOTS) ? 1 << LOTS_ITEM : 0) |
	       (world_has(w, FEATURE_OWNERS) || world_has(w, FEATURE_CONSIGNED) ? 1 << OWNED_ITEM : 0) |
	       (is_off_site(w) ? 1 << OFF_SITE_ITEM : 0);
}

struct str goods_record(struct world *w, int product)
{
	const char *more = "", *serial = "";
	struct str parts = STR_NONE;

	if (product >= MODEL_ITEMS) {
		for (int i = 0; i < MODEL_ITEMS; i++) {
			int n = model_kits[product - MODEL_ITEMS][i];

			if (n && w->mutation == MUTATE_KIT)
				n = 1;
			if (n)
				parts = world_text(w, STR_FMT "%s{'sku':'%s','quantity':'%d'}", STR_ARG(parts),
						   parts.n ? "," : "", model_items[i], n);
		}
		w->mutated |= w->mutation == MUTATE_KIT;
		return world_text(w, "{'sku':'%s','kind':'kit','components':[" STR_FMT "]}", model_products[product],
				  STR_ARG(parts));
	}
	if (product == CASES_ITEM && world_has(w, FEATURE_CASES))
		more = world_text(w, ",'uoms':[{'uom':'CS','factor':'%d'}]", MODEL_CASE).p;
	if (product == LOTS_ITEM && world_has(w, FEATURE_LOTS))
		more = ",'tracking':'lot'";
	if (product == MODEL_SERIAL_ITEM && world_has(w, FEATURE_SERIALS))
		serial = ",'tracking':'serial'";
	if (product == DISCONTINUED_ITEM && world_has(w, FEATURE_DISCONTINUED)) {
		more = w->mutation == MUTATE_DISCONTINUED ? "" : ",'status':'discontinued'";
		w->mutated |= w->mutation == MUTATE_DISCONTINUED;
	}
	return world_text(w, "{'sku':'%s','base_uom':'EA'%s%s}", model_items[product], serial, more);
}

static const char *serials_text(struct world *w, const struct model_line *l)
{
	struct str text = STR(",'serials':[");

	for (int i = 0; i < l->serial_count; i++)
		text = world_text(w, STR_FMT "%s'S%d'", STR_ARG(text), i ? "," : "", w->model->named[l->serials + i]);
	return world_text(w, STR_FMT "]", STR_ARG(text)).p;
}

const char *goods_line(struct world *w, const struct model_fact *f, const struct model_line *l)
{
	int lot = f->lot;

	if (l->serial_count)
		return serials_text(w, l);
	if (f->cases)
		return ",'uom':'CS'";
	if (l->owner)
		return world_text(w, ",'owner':'%s'", model_owners[l->owner - 1]).p;
	if (lot == MODEL_LOTS - 1)
		return "";
	if (w->mutation == MUTATE_EXPIRY) {
		w->mutated = true;
		lot = MODEL_LOTS - 2 - lot;
	}
	return world_text(w, ",'lot':'%s','expires_on':'%s'", model_lots[f->lot], expires[lot]).p;
}

static const char *instant(struct world *w, int64_t ms)
{
	char text[TIME_TEXT];

	time_format(ms, text);
	return arena_copy(&w->arena, str_from(text)).p;
}

const char *goods_document(struct world *w, const struct model_fact *f, int number)
{
	const char *due = f->expected_at ? world_text(w, ",'expected_at':'%s'", instant(w, f->expected_at)).p : "";

	if (f->type == MOVE_REVERSE)
		return world_text(w, ",'reverses_event_id':'m%d'", f->reverses).p;
	if (f->type == MOVE_ORDER_IN || f->type == MOVE_ANNOUNCE || (f->type == MOVE_RECEIVE && f->off_site))
		return world_text(w, ",'purchase_order_id':'p%d'%s", number, due).p;
	if (f->type == MOVE_MOVE && f->off_site)
		return world_text(w, ",'transfer_id':'t%d'%s", number, due).p;
	return "";
}

static struct model_fact *fact_of(struct world *w, enum movement_type type, int item, int place, int quantity,
				  int *number)
{
	struct model_fact *f = fact_new(w, type, number);

	if (f)
		f->lines[f->line_count++] = (struct model_line){.item = item, .place = place, .quantity = quantity};
	return f;
}

static int64_t a_while(struct world *w, int max_s)
{
	return dice_between(&w->dice, 0, max_s * 1000);
}

static int some_place(struct world *w)
{
	return dice_between(&w->dice, 0, MODEL_PLACES - 1);
}

static bool receive_lot(struct world *w)
{
	int number, place = some_place(w), quantity = dice_between(&w->dice, 1, 8);
	struct model_fact *f = fact_of(w, MOVE_RECEIVE, LOTS_ITEM, place, quantity, &number);

	if (!f)
		return false;
	f->lot = dice_between(&w->dice, 0, MODEL_LOTS - 2);
	w->physical[LOTS_ITEM][place] += quantity;
	send_fact(w, f, number, STR_NONE, a_while(w, 5));
	return true;
}

static bool move_owned(struct world *w)
{
	static const enum movement_type types[] = {MOVE_RECEIVE, MOVE_RECEIVE, MOVE_ADJUST, MOVE_SCRAP};
	enum movement_type type = types[dice_between(&w->dice, 0, 3)];
	int number;
	struct model_fact *f = fact_of(w, type, OWNED_ITEM, some_place(w), dice_between(&w->dice, 1, 6), &number);

	if (!f)
		return false;
	f->lines[0].owner = 1;
	send_fact(w, f, number, STR_NONE, a_while(w, 5));
	return true;
}

/* Else nobody would need what others own. */
bool goods_scarce(const struct world *w, int item)
{
	return item == OWNED_ITEM && world_has(w, FEATURE_CONSIGNED);
}

void goods_consign(struct world *w, int n)
{
	int number;
	struct model_fact *f =
	    fact_of(w, MOVE_RECEIVE, OWNED_ITEM, n % MODEL_PLACES, dice_between(&w->dice, 1, 9), &number);

	f->lines[0].owner = 1 + n % MODEL_OWNERS;
	send_fact(w, f, number, STR_NONE, 0);
}

static bool consign(struct world *w)
{
	static const enum movement_type types[] = {MOVE_RECEIVE, MOVE_RECEIVE, MOVE_RECEIVE, MOVE_ADJUST,    MOVE_SHIP,
						   MOVE_SCRAP,   MOVE_MOVE,    MOVE_RETURN,  MOVE_QUARANTINE};
	enum movement_type type = types[dice_between(&w->dice, 0, (int)(sizeof(types) / sizeof(types[0])) - 1)];
	int number, place = some_place(w), quantity = dice_between(&w->dice, 1, type == MOVE_RECEIVE ? 8 : 3);
	struct model_fact *f = fact_of(w, type, OWNED_ITEM, place, quantity, &number);

	if (!f)
		return false;
	f->lines[0].owner = dice_between(&w->dice, 1, MODEL_OWNERS);
	f->lines[0].to = (place + dice_between(&w->dice, 1, MODEL_PLACES - 1)) % MODEL_PLACES;
	if (type == MOVE_ADJUST && dice_chance(&w->dice, 500))
		f->lines[0].quantity = -quantity;
	send_fact(w, f, number, STR_NONE, a_while(w, 5));
	return true;
}

static bool receive_cases(struct world *w)
{
	int number, place = some_place(w), cases = dice_between(&w->dice, 1, 2);
	struct model_fact *f;

	if (!w->model->recorded[CASES_ITEM])
		return false;
	f = fact_of(w, MOVE_RECEIVE, CASES_ITEM, place, cases * MODEL_CASE, &number);
	if (!f)
		return false;
	f->cases = cases;
	w->physical[CASES_ITEM][place] += cases * MODEL_CASE;
	send_fact(w, f, number, STR_NONE, a_while(w, 5));
	return true;
}

/* Ordered, announced, received; each may be missing, come late, or before the one before it. */
static bool purchase(struct world *w)
{
	static const enum movement_type steps[] = {MOVE_ORDER_IN, MOVE_ANNOUNCE, MOVE_RECEIVE};
	int place = some_place(w), quantity = dice_between(&w->dice, 2, 10);
	int64_t in = 0, due = world_wall(w) + dice_between(&w->dice, 10, 400) * INT64_C(1000);

	for (int i = 0; i < 3; i++) {
		int number, n = dice_chance(&w->dice, 800) ? quantity : dice_between(&w->dice, 1, quantity);
		struct model_fact *f;

		in += a_while(w, 60);
		if (dice_chance(&w->dice, 150))
			continue;
		f = fact_of(w, steps[i], OFF_SITE_ITEM, place, n, &number);
		if (!f)
			return false;
		f->off_site = true;
		f->expected_at = steps[i] != MOVE_RECEIVE && dice_chance(&w->dice, 800) ? due : 0;
		w->physical[OFF_SITE_ITEM][place] += steps[i] == MOVE_RECEIVE ? n : 0;
		send_fact(w, f, number, STR_NONE, in);
	}
	return true;
}

static bool transfer(struct world *w)
{
	int number, from = some_place(w), to = (from + dice_between(&w->dice, 1, MODEL_PLACES - 1)) % MODEL_PLACES;
	int quantity = dice_between(&w->dice, 1, 4);
	struct model_fact *f = fact_of(w, MOVE_MOVE, OFF_SITE_ITEM, from, quantity, &number);

	if (!f)
		return false;
	f->lines[0].to = to;
	f->off_site = true;
	f->expected_at = dice_chance(&w->dice, 700) ? world_wall(w) + a_while(w, 200) : 0;
	w->physical[OFF_SITE_ITEM][from] -= quantity;
	send_fact(w, f, number, STR_NONE, 0);
	f = fact_of(w, MOVE_RECEIVE, OFF_SITE_ITEM, to, quantity, &number);
	if (!f)
		return false;
	f->off_site = true;
	w->physical[OFF_SITE_ITEM][to] += quantity;
	send_fact(w, f, number, STR_NONE, a_while(w, 90));
	return true;
}

static bool may_reverse(const struct model_fact *f)
{
	return f->applied && !f->reversed && !f->lines[0].owner && !f->off_site && f->line_count == 1 &&
	       (f->type == MOVE_RECEIVE || f->type == MOVE_ADJUST);
}

/* What was counted since was counted without the mistake. */
static bool was_counted(const struct model *m, const struct model_fact *f)
{
	for (int i = 0; i < m->fact_count; i++)
		if (m->facts[i].type == MOVE_COUNT && m->facts[i].at > f->at &&
		    m->facts[i].lines[0].item == f->lines[0].item && m->facts[i].lines[0].place == f->lines[0].place)
			return true;
	return false;
}

static bool reverse(struct world *w)
{
	int number, of = dice_between(&w->dice, 0, w->model->fact_count ? w->model->fact_count - 1 : 0);
	struct model_fact *f, *first = &w->model->facts[of];

	if (!w->model->fact_count || !may_reverse(first) || (first->serial && !serials_reverse(w, of)))
		return false;
	f = fact_of(w, MOVE_REVERSE, first->lines[0].item, first->lines[0].place, 0, &number);
	if (!f)
		return false;
	f->reverses = of;
	first->reversed = true;
	(void)report_forgets(w, f, number);
	if (!was_counted(w->model, first))
		w->physical[first->lines[0].item][first->lines[0].place] -= first->lines[0].quantity;
	send_fact(w, f, number, STR_NONE, a_while(w, 5));
	return true;
}

/* More, less, or nothing any more is kept for a channel. */
static bool keep(struct world *w)
{
	int item = dice_between(&w->dice, 0, MODEL_ITEMS - 1), place = some_place(w);
	int channel = dice_between(&w->dice, 0, MODEL_CHANNELS - 1);
	int quantity = dice_chance(&w->dice, 300) ? 0 : dice_between(&w->dice, 1, MODEL_FENCE_MAX);
	struct call *c;

	if (!w->model->known[item])
		return false;
	c = call_new(w, CALL_FENCES, item,
		     world_text(w, "{'sku':'%s','channel':'%s','location':'%s','quantity':'%d'}", model_items[item],
				model_channels[channel], model_places[place], quantity));
	if (!c)
		return false;
	w->model->fences[channel][item][place].asked |= 1u << quantity;
	call_send(w, c, 0);
	return true;
}

void send_subscription(struct world *w)
{
	struct call *c = call_new(w, CALL_SUBSCRIBE, 0, STR("{\"types\":[\"order.*\"]}"));

	if (!c)
		return;
	c->key = STR("key-subscription");
	call_send(w, c, a_while(w, 10));
}

bool send_goods(struct world *w)
{
	static const struct {
		enum simulate_feature feature;
		bool (*send)(struct world *w);
	} kinds[] = {
	    {FEATURE_LOTS, receive_lot},   {FEATURE_OWNERS, move_owned},  {FEATURE_CASES, receive_cases},
	    {FEATURE_PURCHASES, purchase}, {FEATURE_TRANSFERS, transfer}, {FEATURE_REVERSALS, reverse},
	    {FEATURE_FENCES, keep},        {FEATURE_CONSIGNED, consign},  {FEATURE_SERIALS, send_serials},
	};
	int n = dice_between(&w->dice, 0, (int)(sizeof(kinds) / sizeof(kinds[0])) - 1);

	return world_has(w, kinds[n].feature) && kinds[n].send(w);
}
