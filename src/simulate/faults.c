/* What goes wrong by itself: the process, its disk, its clock, the systems around it. */
#include "simulate/world.h"

#include "store/postgres/fault_server.h"
#include "store/sqlite/fault_vfs.h"

#define SERVER_COMMITS 6

static void end_process(struct world *w)
{
	if (!w->hub)
		return;
	world_stop(w, dice_chance(&w->dice, 400) ? END_KILL : dice_chance(&w->dice, 800) ? END_POWER_CUT : END_STOP);
	world_restart_in(w, dice_between(&w->dice, 0, 6000));
}

/* The store is on a server: its sessions end. */
static void break_server(struct world *w, int how, int commit)
{
	struct err e = ERR_NONE;
	bool after = how % 2;

	if (commit == 0) {
		world_say(w, "the server ends all sessions");
		if (fault_server_cut(w->server, &e) != RC_OK)
			world_break(w, "the simulation cannot end a session: %s", e.detail);
		return;
	}
	world_say(w, "the sessions end %s the %dth commit from now", after ? "after" : "before", commit);
	fault_server_plan(w->server, commit, after);
	w->disk_until = w->now + dice_between(&w->dice, 500, 20000);
}

static void break_disk(struct world *w)
{
	static const struct {
		enum fault_op op;
		int result;
		bool from_then;
		const char *text;
	} faults[] = {
	    {FAULT_WRITE, FAULT_POWER_CUT, false, "the power fails at a write"},
	    {FAULT_SYNC, FAULT_POWER_CUT, false, "the power fails at a sync"},
	    {FAULT_WRITE, FAULT_DISK_FULL, true, "the disk is full"},
	    {FAULT_WRITE, FAULT_WRITE_ERROR, false, "a write fails"},
	    {FAULT_SYNC, FAULT_SYNC_ERROR, false, "a sync fails"},
	    {FAULT_SYNC, FAULT_SYNC_ERROR, true, "the disk does not sync any more"},
	};
	int n = dice_between(&w->dice, 0, (int)(sizeof(faults) / sizeof(faults[0])) - 1);
	int at = dice_between(&w->dice, 1, faults[n].op == FAULT_SYNC ? 6 : 60);
	struct fault_plan plan = {faults[n].op, (uint64_t)at, faults[n].result, faults[n].from_then,
				  dice_next(&w->dice)};

	if (!w->hub || w->disk_until)
		return;
	w->counts.disk_faults++;
	if (w->server) {
		break_server(w, n, at % SERVER_COMMITS);
		return;
	}
	world_say(w, "%s, the %dth from now", faults[n].text, at);
	fault_vfs_plan(&plan);
	w->plan_cuts = plan.result == FAULT_POWER_CUT;
	w->disk_until = w->now + dice_between(&w->dice, 500, 20000);
}

static void move_clock(struct world *w)
{
	int64_t by = dice_between(&w->dice, -5000, 5000);

	if (dice_chance(&w->dice, 200))
		by *= 100;
	w->skew += by;
	world_say(w, "the clock jumps by %lld ms", (long long)by);
	w->hub_at = w->engine_at = w->reconciler_at = w->now;
}

static void take_away(struct world *w)
{
	int system = dice_between(&w->dice, 0, WORLD_RECEIVERS - 1);

	w->receivers[system].away_until = w->now + dice_between(&w->dice, 1000, 90000);
	world_say(w, "%s is away", w->names[system]);
}

static void maintain(struct world *w)
{
	struct store_stats stats;
	struct err e = ERR_NONE;

	if (w->hub && hub_ready(w->hub) && store_maintain(hub_store(w->hub), &stats, &e) != RC_OK)
		world_say(w, "upkeep fails: %s", e.detail);
}

void fault_something(struct world *w)
{
	if (dice_chance(&w->dice, w->weather.crash))
		end_process(w);
	if (dice_chance(&w->dice, w->weather.disk))
		break_disk(w);
	if (dice_chance(&w->dice, w->weather.clock))
		move_clock(w);
	if (dice_chance(&w->dice, w->weather.outage))
		take_away(w);
	if (dice_chance(&w->dice, 150))
		maintain(w);
}

void faults_end(struct world *w)
{
	fault_vfs_plan(NULL);
	if (w->server)
		fault_server_plan(w->server, 0, false);
	w->disk_until = 0;
	w->plan_cuts = false;
	w->calm = true;
	for (int i = 0; i < WORLD_RECEIVERS; i++)
		w->receivers[i].away_until = 0;
	world_say(w, "nothing goes wrong any more");
}
