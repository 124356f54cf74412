/*
 * The warehouse's units that have a number of their own: where each really is, and what is told of them. Where it makes
 * mistakes it names another unit than the one that it had in its hands.
 */
#include "simulate/world.h"

#define RECEIVED_MAX 4
#define MISTAKES     150 /* in a thousand */

static struct unit *new_unit(struct world *w, int *serial)
{
	if (w->model->serial_count == MODEL_SERIALS)
		return NULL;
	*serial = w->model->serial_count++;
	w->units[*serial] = (struct unit){.place = -1, .last = -1};
	return &w->units[*serial];
}

static void name(struct world *w, struct model_line *l, int serial)
{
	struct model *m = w->model;

	if (m->named_count == MODEL_NAMED)
		return;
	if (!l->serial_count)
		l->serials = m->named_count;
	m->named[m->named_count++] = (short)serial;
	l->serial_count++;
}

/* Names at most so many units that are at the line's place; returns how many. */
static int name_here(struct world *w, struct model_line *l, int most, bool all)
{
	for (int s = 0; s < w->model->serial_count && l->serial_count < most; s++)
		if (w->units[s].place == l->place && (all || !w->units[s].picked))
			name(w, l, s);
	return l->serial_count;
}

static int name_gone(struct world *w, struct model_line *l, int most, bool shipped)
{
	for (int s = 0; s < w->model->serial_count && l->serial_count < most; s++)
		if (w->units[s].place < 0 && (shipped ? w->units[s].shipped : w->units[s].lost))
			name(w, l, s);
	return l->serial_count;
}

static int name_new(struct world *w, struct model_line *l, int count)
{
	int serial;

	while (l->serial_count < count && new_unit(w, &serial))
		name(w, l, serial);
	return l->serial_count;
}

/* What really happens to the units that a line names. */
static void happen(struct world *w, const struct model_fact *f, int number, const struct model_line *l)
{
	for (int i = 0; i < l->serial_count; i++) {
		struct unit *u = &w->units[w->model->named[l->serials + i]];
		bool leaves =
		    f->type == MOVE_SHIP || f->type == MOVE_SCRAP || (f->type == MOVE_ADJUST && l->quantity < 0);

		u->last = number;
		if (f->type == MOVE_COUNT || f->type == MOVE_QUARANTINE || f->type == MOVE_CLEAR)
			continue;
		w->physical[MODEL_SERIAL_ITEM][u->place < 0 ? l->place : u->place] -= u->place >= 0;
		u->place = leaves ? -1 : f->type == MOVE_MOVE ? l->to : l->place;
		w->physical[MODEL_SERIAL_ITEM][u->place < 0 ? l->place : u->place] += u->place >= 0;
		u->shipped = f->type == MOVE_SHIP;
		u->lost = leaves && f->type == MOVE_ADJUST;
		u->picked = f->type == MOVE_PICK;
	}
}

/* Another unit is named, that the line does not name. */
static void mistake(struct world *w, struct model_line *l)
{
	int other = dice_between(&w->dice, 0, w->model->serial_count - 1);

	for (int i = 0; i < l->serial_count; i++)
		if (w->model->named[l->serials + i] == other)
			return;
	w->model->named[l->serials] = (short)other;
}

static void tell(struct world *w, struct model_fact *f, int number)
{
	struct model_line *l = &f->lines[0];

	happen(w, f, number, l);
	if (w->mistakes && f->type != MOVE_COUNT && l->serial_count && dice_chance(&w->dice, MISTAKES))
		mistake(w, l);
	if (report_forgets(w, f, number))
		return;
	send_fact(w, f, number, STR_NONE,
		  dice_chance(&w->dice, w->weather.slow) ? dice_between(&w->dice, 0, 60000) : 0);
}

/* How many units the line is of, or -1: there are none for it. */
static int choose_units(struct world *w, enum movement_type type, struct model_line *l)
{
	int some = dice_between(&w->dice, 1, 2);

	switch (type) {
	case MOVE_RECEIVE:
		return name_new(w, l, dice_between(&w->dice, 1, RECEIVED_MAX));
	case MOVE_RETURN:
		return name_gone(w, l, some, true);
	case MOVE_COUNT:
		(void)name_here(w, l, MODEL_SERIALS, true);
		return l->serial_count;
	case MOVE_ADJUST:
		if (some == 1)
			return -name_here(w, l, 1, false);
		return name_gone(w, l, 1, false) ? 1 : name_new(w, l, 1);
	default:
		return name_here(w, l, some, false);
	}
}

bool send_serials(struct world *w)
{
	static const enum movement_type types[] = {MOVE_RECEIVE, MOVE_RECEIVE,    MOVE_RECEIVE, MOVE_MOVE,
						   MOVE_ADJUST,  MOVE_QUARANTINE, MOVE_SHIP,    MOVE_SCRAP,
						   MOVE_COUNT,   MOVE_RETURN,     MOVE_CLEAR};
	/* What is cleared before it is heard to be aside comes from nowhere. */
	int kinds = (int)(sizeof(types) / sizeof(types[0])) - (w->mistakes ? 1 : 2);
	enum movement_type type = types[dice_between(&w->dice, 0, kinds)];
	struct model_line l = {.item = MODEL_SERIAL_ITEM, .place = dice_between(&w->dice, 0, MODEL_PLACES - 1)};
	struct model_fact *f;
	int number;

	if (!w->model->recorded[MODEL_SERIAL_ITEM] || (type == MOVE_COUNT && !world_has(w, FEATURE_COUNTS)))
		return false;
	l.to = (l.place + dice_between(&w->dice, 1, MODEL_PLACES - 1)) % MODEL_PLACES;
	l.quantity = choose_units(w, type, &l);
	if (!l.quantity && type != MOVE_COUNT)
		return false;
	f = fact_new(w, type, &number);
	if (!f)
		return false;
	f->serial = true;
	f->lines[f->line_count++] = l;
	tell(w, f, number);
	return true;
}

/* Of a parcel: the units that are taken, and no more than there are. */
void serials_pack(struct world *w, struct model_line *l)
{
	l->serial_count = 0;
	l->quantity = name_here(w, l, l->quantity, false);
	for (int i = 0; i < l->serial_count; i++)
		w->units[w->model->named[l->serials + i]].picked = true;
}

void serials_leave(struct world *w, const struct model_fact *f, int number)
{
	for (int i = 0; i < f->line_count; i++)
		if (f->lines[i].serial_count)
			happen(w, f, number, &f->lines[i]);
}

bool serials_reverse(struct world *w, int number)
{
	const struct model_line *l = &w->model->facts[number].lines[0];

	for (int i = 0; i < l->serial_count; i++)
		if (w->units[w->model->named[l->serials + i]].last != number)
			return false;
	for (int i = 0; i < l->serial_count; i++) {
		struct unit *u = &w->units[w->model->named[l->serials + i]];

		u->place = l->quantity > 0 ? -1 : l->place;
		u->lost = false;
	}
	return true;
}

/* ---- the hub's registry ---- */

enum { SERIAL_COLUMNS = 9, SERIAL_STATE = 2, SERIAL_PLACE = 3, SERIAL_ORDER = 6 };

static const char *order_text(const struct world *w, int order)
{
	return order >= 0 ? w->model->orders[order].id : "";
}

static void compare(struct world *w, int serial)
{
	struct model_serial now = model_serial_now(w->model, serial);
	char text[12];
	struct store_value row[SERIAL_COLUMNS], args[] = {SV_TEXT(str_from(model_items[MODEL_SERIAL_ITEM])), SV_NULL};
	struct err e = ERR_NONE;
	const char *state;
	enum rc rc;

	snprintf(text, sizeof(text), "S%d", serial);
	args[1] = SV_TEXT(str_from(text));
	arena_reset(&w->scratch);
	rc = store_read_one(w->reader, R_SERIAL, args, 2, &w->scratch, row, &e);
	if (rc == RC_NOT_FOUND && now.at == INT64_MIN)
		return;
	if (rc != RC_OK) {
		world_break(w, "serials: the hub's registry does not know %s", text);
		return;
	}
	state = serial_state_name((enum serial_state)row[SERIAL_STATE].integer);
	if (strcmp(state, model_serial_states[now.state]) != 0 ||
	    !str_is(row[SERIAL_PLACE].bytes, now.place >= 0 ? model_places[now.place] : "") ||
	    !str_is(row[SERIAL_ORDER].bytes, order_text(w, now.order)))
		world_break(w,
			    "serials: the hub has %s %s at " STR_FMT " of order " STR_FMT
			    ", by what was told it is %s at %s of order %s",
			    text, state, STR_ARG(row[SERIAL_PLACE].bytes), STR_ARG(row[SERIAL_ORDER].bytes),
			    model_serial_states[now.state], now.place >= 0 ? model_places[now.place] : "nowhere",
			    order_text(w, now.order));
}

void check_serials(struct world *w, bool all)
{
	for (int s = 0; s < w->model->serial_count && !world_is_broken(w); s++) {
		if (all || w->model->touched[s])
			compare(w, s);
		w->model->touched[s] = false;
	}
}

static enum rc count_row(void *ctx, const struct store_value *c, size_t count)
{
	(void)c;
	(void)count;
	(*(int *)ctx)++;
	return RC_OK;
}

static void check_places(struct world *w)
{
	for (int p = 0; p < MODEL_PLACES; p++) {
		const struct store_value args[] = {SV_TEXT(str_from(model_items[MODEL_SERIAL_ITEM])),
						   SV_TEXT(str_from(model_places[p])), SV_INT(MODEL_SERIALS)};
		struct err e = ERR_NONE;
		int books = model_on_hand(w->model, MODEL_SERIAL_ITEM, p), here = 0;

		if (store_read(w->reader, R_SERIALS_HERE, args, 3, count_row, &here, &e) != RC_OK)
			world_break(w, "the store cannot be read: %s", e.detail);
		if (here != model_serials_at(w->model, p) || here != books || here != w->physical[MODEL_SERIAL_ITEM][p])
			world_break(w,
				    "serials: at the end %d are here at %s, the ledger has %d, by what was told they "
				    "are %d, and %d lie there",
				    here, model_places[p], books, model_serials_at(w->model, p),
				    w->physical[MODEL_SERIAL_ITEM][p]);
	}
}

/* Of what happens at one instant nobody can say which was first. */
static bool is_sharp(const struct model *m)
{
	for (int i = 0; i < m->fact_count; i++)
		for (int n = 0; m->facts[i].serial && n < m->fact_count; n++)
			if (n != i && m->facts[n].at == m->facts[i].at)
				return false;
	return true;
}

void check_serials_end(struct world *w)
{
	check_serials(w, true);
	if (world_has(w, FEATURE_SERIALS) && !w->mistakes && !world_has(w, FEATURE_REPORTS) && is_sharp(w->model))
		check_places(w);
}
