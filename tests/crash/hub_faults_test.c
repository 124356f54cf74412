/*
 * A tenant's hub on a disk that fails. The same load (orders, movements, reservations, messages, results of deliveries)
 * is run again and again, and each time another one of its writes or syncs fails, or the power is cut at it. The
 * callers do what real ones do: what was answered 503 is repeated with the same keys. Whatever happens:
 *   what was answered 2xx is there, once, also after a power cut; a repeat gets the first answer;
 *   what was answered 503 has no effect or one, and exactly one after it was repeated;
 *   every delivery and message that is on the disk is told to the engine, once a start;
 *   the books add up, and at the end they are those of a run on a healthy disk.
 *
 * The short form samples the operations; with CRASH_FULL in the environment each one fails.
 */
#include "hub/test_commands.h"

#include "observe/log.h"
#include "store/sqlite/fault_vfs.h"

#include <sqlite3.h>
#include <sys/stat.h>

/* What is done after a failure. */
enum way { REPAIR, RESTART, POWER_CUT, WAYS };

enum { STEPS = 18, HEADS = 200 };

struct step {
	struct reply reply; /* the first good one */
	bool answered;
};

static struct run {
	const struct fault_plan *plan;
	enum way way;
	struct step steps[STEPS];
	bool ended[HEADS + 1]; /* by seq: the engine knows that it is final */
	int refusals, failures;
} r;

static void describe(const char *what)
{
	fail_msg("%s (operation %d, at %d, result %d, from then on %d, seed %d, way %d)", what, (int)r.plan->op,
		 (int)r.plan->at, r.plan->result, r.plan->from_then, (int)r.plan->seed, (int)r.way);
}

#define EXPECT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			describe(#condition);                                                                          \
	} while (0)

/* ---- failing and going on ---- */

static enum rc open_delivery(void *ctx, const struct store_value *columns, size_t count)
{
	const uint16_t *system = ctx;
	struct delivery d;

	(void)count;
	assert_int_equal(delivery_from_row(columns, &d), RC_OK);
	d.head.system = *system;
	world.heads[world.head_count++] = d.head;
	return RC_OK;
}

/* As the delivery engine does at its start. */
static void load_open_deliveries(void)
{
	const struct config_tenant *t = &world.config->tenants[0];
	struct err e = ERR_NONE;

	for (uint16_t i = 0; i < t->system_count; i++) {
		for (int p = 0; p < PRIORITIES; p++) {
			struct store_value args[] = {SV_TEXT(t->systems[i].name), SV_INT(p), SV_INT(0), SV_INT(1000)};

			assert_int_equal(store_read(world.reader, R_DELIVERIES_OPEN, args, 4, open_delivery, &i, &e),
					 RC_OK);
		}
	}
}

static void restart(bool power_cut)
{
	if (power_cut)
		fault_vfs_power_cut(r.plan->seed + 1);
	world_close();
	if (power_cut)
		fault_vfs_power_on();
	fault_vfs_plan(NULL);
	world_open();
	load_open_deliveries();
}

static bool is_dark(void)
{
	return r.plan->result == 0 && fault_vfs_fired();
}

static void go_on(void)
{
	bool dark = is_dark();

	r.failures++;
	EXPECT(fault_vfs_fired());
	if (dark || r.way == POWER_CUT) {
		restart(true);
	} else if (r.way == RESTART) {
		restart(false);
	} else if (!hub_ready(world.hub)) {
		fault_vfs_plan(NULL);
		run();
		EXPECT(hub_ready(world.hub));
	}
	/* While a disk goes on failing nothing would ever be answered. */
	fault_vfs_plan(NULL);
	check_audit();
}

/* ---- the load ---- */

static const char *id_of(int step)
{
	return r.steps[step].reply.id;
}

static struct command *make_step(int step)
{
	switch (step) {
	case 0:
		return make_move("receive", "e1", "A:20 B:9@west");
	case 1:
		return make_item("C", "erp");
	case 2:
		return make_order("1", "A:3");
	case 3:
		return make_order("2", "A:8 B:1");
	case 4:
		return keyed(make_hold("", "shop", "A:2", 600), "k4");
	case 5:
		return keyed(make_order("3", "C:5"), "k5");
	case 6:
		return make_message("m1", "a raw order");
	case 7:
		return keyed(make_hold("r7", "shop", "B:2", 600), "k7");
	case 8:
		return make_move("adjust", "e8", "A:-1 B:-1@west");
	case 9:
		return keyed(make_target(COMMAND_ORDER_CANCEL, id_of(5)), "k9");
	case 10:
		return make_move("receive", "e10", "C:5");
	case 11:
		return make_target(COMMAND_SYSTEM_PAUSE, "portal");
	case 12:
		return make_shipment("S1", id_of(2), "A:3");
	case 13:
		return keyed(make_commit("r7", id_of(14)), "k13");
	case 14:
		return make_order("4", "B:9");
	case 15:
		return make_message("m2", "another raw order");
	case 16:
		return keyed(make_hold("", "shop", "A:1000", 600), "k16"); /* refused */
	case 17:
		return make_move("count", "e17", "B:6@west");
	default:
		return NULL;
	}
}

/* What is offered together, so that it shares a batch. 13 needs the order that 14 makes. */
static const int groups[][5] = {{0, 1, -1},  {2, -1},          {3, 4, 5, -1}, {6, 7, -1},      {8, -1},
				{9, 14, -1}, {10, 11, 13, -1}, {12, -1},      {15, 16, 17, -1}};

/* Offers those of a group that have no answer yet; true if all have one. */
static bool offer(const int *group)
{
	struct reply replies[5];
	bool all = true;

	for (int i = 0; group[i] >= 0; i++) {
		struct command *c;

		replies[i] = (struct reply){0};
		if (r.steps[group[i]].answered)
			continue;
		c = make_step(group[i]);
		c->done = world_keep;
		c->ctx = &replies[i];
		if (hub_submit(world.hub, c) != RC_OK)
			command_free(c);
	}
	if (hub_ready(world.hub))
		run();
	for (int i = 0; group[i] >= 0; i++) {
		struct step *s = &r.steps[group[i]];

		if (s->answered)
			continue;
		if (replies[i].status == 0 || replies[i].status >= 500) {
			r.refusals++;
			all = false;
			continue;
		}
		s->answered = true;
		s->reply = replies[i];
	}
	return all;
}

/* Everything the engine was told of is sent, and succeeds. False: the hub failed. */
static bool play_deliveries(void)
{
	for (size_t i = 0; i < world.head_count; i++) {
		struct delivery_head *head = &world.heads[i];
		struct outcome_told good = {.outcome = OUTCOME_DELIVERED, .external_id = "X-1"};
		int go, status;

		assert_true(head->seq <= HEADS);
		for (size_t n = 0; n < i; n++)
			EXPECT(world.heads[n].seq != head->seq);
		if (r.ended[head->seq])
			continue;
		go = start_delivery(head);
		if (go < 0)
			return false;
		status = go ? end_delivery(head, good) : DELIVERY_CANCELLED;
		if (status < 0)
			return false;
		EXPECT(status >= DELIVERY_FINAL);
		r.ended[head->seq] = true;
	}
	return true;
}

/* Messages become orders, M1 and M2. */
static bool play_messages(void)
{
	while (world.message_count > 0) {
		size_t last = world.message_count - 1;
		const char *external_id = str_is(world.messages[last].payload, "a raw order") ? "M1" : "M2";
		struct command *c = of_message(make_order(external_id, "A:1"), world.messages[last].seq, 0, 1);
		bool good = apply(c);

		command_free(c);
		if (!good)
			return false;
		world.message_count--;
	}
	return true;
}

static bool keep_store(void)
{
	struct store_stats stats;

	return store_maintain(hub_store(world.hub), &stats, NULL) == RC_OK;
}

static void load(void)
{
	for (size_t g = 0; g < COUNT(groups); g++) {
		while (!offer(groups[g]))
			go_on();
		while (!play_messages())
			go_on();
		while (!play_deliveries())
			go_on();
		/* Its faults are seen by the next commit. */
		if (g % 3 == 2 && !keep_store())
			EXPECT(fault_vfs_fired());
		if (is_dark())
			go_on();
	}
}

/* ---- what there is afterwards ---- */

static const char *everything(void)
{
	static const char *const counted[] = {"order.captured",   "order.accepted",        "order.cancelled",
					      "order.shipped",    "stock.moved",           "reservation.held",
					      "shipment.created", "reservation.committed", "item.recorded",
					      "exception.raised", "system.paused"};
	const char *text = arena_printf(&world.arena, "A: %s; ", stock_of("A"));

	text = arena_printf(&world.arena, "%sB: %s; ", text, stock_of("B"));
	text = arena_printf(&world.arena, "%sC: %s;", text, stock_of("C"));
	for (size_t i = 0; i < COUNT(counted); i++)
		text = arena_printf(&world.arena, "%s %s %u", text, counted[i], count_events(counted[i]));
	for (const char *const *id = (const char *const[]){"1", "2", "3", "4", "M1", "M2", NULL}; *id; id++) {
		const struct query_orders f = {.channel = STR("shop"), .external_id = str_from(*id)};
		const struct query_page page = {.limit = 10};
		const struct json *items = json_get(ASK(query_orders, &f, &page), "items");

		EXPECT(items->count == 1);
		text = arena_printf(&world.arena, "%s; %s " STR_FMT, text, *id,
				    STR_ARG(json_get_text(&items->items[0], "status")));
	}
	return text;
}

static enum rc count_rows(void *ctx, const struct store_value *columns, size_t count)
{
	(void)columns;
	(void)count;
	(*(int *)ctx)++;
	return RC_OK;
}

static int rows_of(enum store_statement s, const struct store_value *args, size_t count)
{
	struct err e = ERR_NONE;
	int rows = 0;

	assert_int_equal(store_read(world.reader, s, args, count, count_rows, &rows, &e), RC_OK);
	return rows;
}

static enum rc count_open(void *ctx, const struct store_value *row, size_t columns)
{
	(void)columns;
	if (row[2].integer < DELIVERY_FINAL)
		*(int64_t *)ctx += row[3].integer;
	return RC_OK;
}

static int64_t open_deliveries(void)
{
	struct err e = ERR_NONE;
	int64_t count = 0;

	assert_int_equal(store_read(world.reader, R_DELIVERIES_COUNT, NULL, 0, count_open, &count, &e), RC_OK);
	return count;
}

/* Repeating everything has no effect, and says what it said first. */
static void repeat_all(void)
{
	int64_t position = hub_position(world.hub);

	for (int i = 0; i < STEPS; i++) {
		struct reply again = do_command(make_step(i));
		const struct reply *first = &r.steps[i].reply;

		EXPECT(again.status == first->status);
		EXPECT(strcmp(again.id, first->id) == 0);
		EXPECT(strcmp(again.code, first->code) == 0);
	}
	EXPECT(hub_position(world.hub) == position);
}

static char healthy_end[4000];

static void check_end(void)
{
	const struct store_value pending[] = {SV_INT(0), SV_INT(10)};

	check_audit();
	EXPECT(open_deliveries() == 0);
	EXPECT(rows_of(R_INBOX_PENDING, pending, 2) == 0);
	if (!healthy_end[0])
		snprintf(healthy_end, sizeof(healthy_end), "%s", everything());
	if (strcmp(healthy_end, everything()) != 0) {
		print_error("%s\n%s\n", healthy_end, everything());
		describe("the end is another one");
	}
	repeat_all();
	check_audit();
}

static void run_init(const struct fault_plan *plan, enum way way)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	static int number;
	char name[192];

	if (world.hub)
		world_close(); /* a test before has failed */
	r = (struct run){.plan = plan, .way = way};
	for (size_t i = 0; i < COUNT(suffixes); i++) {
		snprintf(name, sizeof(name), "%s/%d.db%s", world.folder, number, suffixes[i]);
		unlink(name);
	}
	snprintf(world.url, sizeof(world.url), "sqlite:%s/%d.db", world.folder, ++number);
	arena_reset(&world.arena);
	fault_vfs_power_on();
}

/* Returns how often something was refused. */
static int run_load(const struct fault_plan *plan, enum way way, uint64_t counts[FAULT_OPS])
{
	run_init(plan, way);
	world_open();
	fault_vfs_plan(plan);
	load();
	for (int i = 0; counts && i < FAULT_OPS; i++)
		counts[i] = fault_vfs_count((enum fault_op)i);
	if (!hub_ready(world.hub))
		go_on();
	/* What was acknowledged survives a power cut, whatever the store has gone through. */
	restart(true);
	EXPECT(play_messages() && play_deliveries());
	check_end();
	world_close();
	fault_vfs_power_on();
	return r.refusals;
}

/* ---- the faults ---- */

static uint64_t operations(enum fault_op op)
{
	static const struct fault_plan healthy = {.seed = 1};
	uint64_t counts[FAULT_OPS];

	assert_int_equal(run_load(&healthy, REPAIR, counts), 0);
	return counts[op];
}

/* Fails operations of this kind, one a run: about `runs` of them in the short form, each with another way to go on. */
static void fail_each(enum fault_op op, int result, bool from_then, uint64_t runs)
{
	bool full = getenv("CRASH_FULL") != NULL;
	uint64_t n = operations(op), stride = full || n <= runs ? 1 : n / runs;
	int refusals = 0, made = 0;

	assert_true(n > 0);
	for (uint64_t at = 1; at <= n; at += stride)
		for (enum way way = REPAIR; way < WAYS; way++) {
			struct fault_plan plan = {op, at, result, from_then, at * 3 + way};

			if (!full && (at / stride) % WAYS != way)
				continue;
			refusals += run_load(&plan, way, NULL);
			made++;
		}
	print_message("%d runs, %d refusals\n", made, refusals);
	/* Else the faults have hit nothing that matters. */
	assert_true(refusals > 0);
}

static void test_writes_that_fail(void **state)
{
	(void)state;
	fail_each(FAULT_WRITE, SQLITE_IOERR_WRITE, false, 60);
}

static void test_a_disk_that_is_full(void **state)
{
	(void)state;
	fail_each(FAULT_WRITE, SQLITE_FULL, true, 60);
}

static void test_syncs_that_fail(void **state)
{
	(void)state;
	fail_each(FAULT_SYNC, SQLITE_IOERR_FSYNC, false, 60);
}

static void test_a_disk_that_does_not_sync_any_more(void **state)
{
	(void)state;
	fail_each(FAULT_SYNC, SQLITE_IOERR_FSYNC, true, 60);
}

static void test_power_cuts_at_a_write(void **state)
{
	(void)state;
	fail_each(FAULT_WRITE, 0, false, 60);
}

static void test_power_cuts_at_a_sync(void **state)
{
	(void)state;
	fail_each(FAULT_SYNC, 0, false, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_writes_that_fail),      cmocka_unit_test(test_a_disk_that_is_full),
	    cmocka_unit_test(test_syncs_that_fail),       cmocka_unit_test(test_a_disk_that_does_not_sync_any_more),
	    cmocka_unit_test(test_power_cuts_at_a_write), cmocka_unit_test(test_power_cuts_at_a_sync),
	};
	int failed;

	log_set_level((enum log_level)(LOG_ERROR + 1)); /* nothing: every error here is meant */
	fault_vfs_register("fault");
	world_init();
	world.vfs = "fault";
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	world_done();
	return failed != 0;
}
