/* What the hub has committed, row by row to the model, and beside it what the hub shows from memory. */
#include "simulate/world.h"

#include "store/postgres/fault_server.h"
#include "store/sqlite/fault_vfs.h"

#define EVENTS_AT_ONCE 500

static enum rc take_movement(void *ctx, const struct store_value *c, size_t count)
{
	const struct model_movement row = {c[0].integer, c[4].bytes, c[6].bytes, c[7].bytes, c[8].bytes, c[10].bytes};

	(void)count;
	model_take_movement(ctx, &row);
	return RC_OK;
}

static enum rc take_event(void *ctx, const struct store_value *c, size_t count)
{
	const struct model_event row = {c[0].integer, c[2].integer, c[3].bytes, c[4].bytes, c[8].bytes};

	(void)count;
	model_take_event(ctx, &row);
	return RC_OK;
}

/* Events first: they say which order a movement is for. */
static enum rc read_log(struct world *w, struct model *m, struct err *e)
{
	int64_t before;
	enum rc rc;

	do {
		const struct store_value args[] = {SV_INT(m->position), SV_INT(EVENTS_AT_ONCE)};

		before = m->position;
		rc = store_read(w->reader, R_EVENT_AFTER, args, 2, take_event, m, e);
	} while (rc == RC_OK && m->position == before + EVENTS_AT_ONCE);
	if (rc != RC_OK)
		return rc;
	do {
		const struct store_value next = SV_INT(m->movement + 1);

		before = m->movement;
		rc = store_read(w->reader, R_MOVEMENT, &next, 1, take_movement, m, e);
	} while (rc == RC_OK && m->movement > before);
	return rc;
}

struct sums {
	int states[1 + MODEL_OWNERS][MODEL_PLACES][STOCK_STATES]; /* ours, the owners' */
};

static void add_positions(void *ctx, const struct stock_position *positions, size_t count)
{
	struct sums *sums = ctx;

	for (size_t i = 0; i < count; i++) {
		int whose = 0;

		for (int o = 0; o < MODEL_OWNERS; o++)
			whose = str_is(positions[i].owner, model_owners[o]) ? 1 + o : whose;
		for (int s = 0; s < STOCK_STATES; s++)
			sums->states[whose][positions[i].location][s] += (int)(positions[i].states[s] / QTY_ONE);
	}
}

static void compare_sums(struct world *w, int item, const char *owner, int shown[MODEL_PLACES][STOCK_STATES],
			 int books[MODEL_PLACES][STOCK_STATES])
{
	for (int p = 0; p < MODEL_PLACES; p++)
		for (int s = 0; s < STOCK_STATES; s++)
			if (shown[p][s] != books[p][s])
				world_break(w,
					    "conservation: the hub shows %d units %s of %s of %s at %s, its log adds "
					    "up to %d",
					    shown[p][s], stock_state_name((enum stock_state)s), model_items[item],
					    owner, model_places[p], books[p][s]);
}

static void compare_view(struct world *w)
{
	for (int i = 0; i < MODEL_ITEMS; i++) {
		struct sums sums = {0};
		enum rc rc = stock_view_read(hub_stock(w->hub), str_from(model_items[i]), add_positions, &sums);

		if (rc != RC_OK && rc != RC_NOT_FOUND)
			world_break(w, "the stock view cannot be read");
		compare_sums(w, i, "us", sums.states[0], w->model->states[i]);
		for (int o = 0; o < MODEL_OWNERS; o++)
			compare_sums(w, i, model_owners[o], sums.states[1 + o], w->model->theirs[o][i]);
	}
}

void follow(struct world *w)
{
	int64_t position = w->model->position, movement = w->model->movement;
	uint64_t writes = w->server ? fault_server_commits(w->server) : fault_vfs_writes();
	struct err e = ERR_NONE;

	if (w->followed == writes)
		return;
	if (read_log(w, w->model, &e) != RC_OK) {
		world_say(w, "the log cannot be read now: %s", e.detail);
		return;
	}
	w->followed = writes;
	w->counts.events += w->model->position - position;
	w->counts.movements += w->model->movement - movement;
	if (w->model->position != position || w->model->movement != movement) {
		w->counts.commits++;
		model_check(w->model);
		model_check_told(w->model);
		compare_view(w);
		check_serials(w, false);
	}
	if (w->model->broken[0])
		world_break(w, "%s", w->model->broken);
}

void follow_all(struct world *w)
{
	struct model *again = model_again(w->model);
	struct err e = ERR_NONE;

	if (read_log(w, again, &e) != RC_OK)
		world_break(w, "the log cannot be read: %s", e.detail);
	model_check(again);
	if (again->broken[0])
		world_break(w, "read again, the log says otherwise: %s", again->broken);
	else if (again->position != w->model->position || again->movement != w->model->movement)
		world_break(w, "durable: the log has %lld events and %lld movements, %lld and %lld were seen",
			    (long long)again->position, (long long)again->movement, (long long)w->model->position,
			    (long long)w->model->movement);
	else if (again->movement_chain != w->model->movement_chain || again->event_chain != w->model->event_chain)
		world_break(w, "durable: rows of the log have changed since they were committed");
	model_free(again);
}
