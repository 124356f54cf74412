/*
 * What a restart must not forget of a destination's troubles: that it is away or refuses our credentials, and which
 * breakers are open. Each is a row of meta, written in the transaction of the event that tells it. After a restart such
 * a destination is tried with one request, as it would have been without; whatever has a backlog begins with one slot.
 *
 * Of points is kept how many there can be, how fast they come back, and the most that a request of each operation was
 * said to cost: these hardly ever change. How many were left is not, it would be a write for each answer: a destination
 * that counts points is taken to have none left when we start, and they come back from then on, until its first answer
 * says how many there are.
 *
 * The hub keeps something of the same events beside it (orchestrate/order/away.h): until when orders are not promised
 * without limit. Neither follows from the other: that one is kept only for tenants with a policy for it, ends by itself
 * when nothing is heard of the destination, and is the writer's to decide with; this one has no end, and is the loop's.
 */
#include "connect/engine.h"

#include <stdio.h>

#define KEY_MAX 160

static const char *health_key(const struct config_system *s, char key[KEY_MAX])
{
	int n = snprintf(key, KEY_MAX, "trouble:" STR_FMT, STR_ARG(s->name));
	return n < KEY_MAX ? key : NULL;
}

static const char *breaker_key(const struct config_system *s, enum operation op, char key[KEY_MAX])
{
	int n = snprintf(key, KEY_MAX, "breaker:" STR_FMT ":%s", STR_ARG(s->name), operation_name(op));
	return n < KEY_MAX ? key : NULL;
}

static void remember(struct submission *s, const char *key, int64_t value)
{
	if (!key)
		return;
	s->command->note.state = arena_copy(&s->command->arena, str_from(key));
	s->command->note.value = value;
}

void trouble_health(struct submission *s, const struct engine_destination *t)
{
	char key[KEY_MAX];
	remember(s, health_key(t->system, key), t->health.state);
}

void trouble_breaker(struct submission *s, const struct engine_destination *t, enum operation op)
{
	const struct breaker *b = t->admission.breakers[op];
	char key[KEY_MAX];
	remember(s, breaker_key(t->system, op, key), b->state == BREAKER_CLOSED ? 0 : b->until);
}

static const char *points_key(const struct config_system *s, const char *what, char key[KEY_MAX])
{
	int n = snprintf(key, KEY_MAX, "points:" STR_FMT ":%s", STR_ARG(s->name), what);
	return n < KEY_MAX ? key : NULL;
}

static void keep(struct engine_destination *t, const char *what, int64_t *kept, int64_t value)
{
	char key[KEY_MAX];
	*kept = value;
	if (!points_key(t->system, what, key))
		return;
	struct submission *s = submit_prepare(t, NULL, NULL);
	remember(s, key, value);
	submit(s);
}

void trouble_points(struct engine_destination *t, enum operation op)
{
	struct admission *a = &t->admission;
	const struct points *p = &a->points;
	if (t->own)
		return;
	if (p->maximum != a->kept_maximum)
		keep(t, "maximum", &a->kept_maximum, p->maximum);
	if (p->restore_per_s != a->kept_restore)
		keep(t, "restore", &a->kept_restore, p->restore_per_s);
	if (p->expected[op] > a->kept_cost[op])
		keep(t, operation_name(op), &a->kept_cost[op], p->expected[op]);
}

static enum rc one_int(void *ctx, const struct store_value *row, size_t count)
{
	(void)count;
	*(int64_t *)ctx = row[0].integer;
	return RC_OK;
}

static enum rc load(struct store_reader *r, const char *key, int64_t *value, struct err *e)
{
	*value = 0;
	return key ? store_read(r, R_META, &SV_TEXT(str_from(key)), 1, one_int, value, e) : RC_OK;
}

static enum rc load_points(struct engine_destination *t, struct store_reader *r, struct err *e)
{
	struct admission *a = &t->admission;
	const struct config_system *s = t->system;
	char key[KEY_MAX];
	enum rc rc = load(r, points_key(s, "maximum", key), &a->kept_maximum, e);
	if (rc == RC_OK && a->kept_maximum)
		rc = load(r, points_key(s, "restore", key), &a->kept_restore, e);
	points_restore(&a->points, a->kept_maximum, a->kept_restore, t->hub->engine->now);
	for (int op = 0; op < OPERATIONS && rc == RC_OK && a->points.known; op++) {
		if (s->pack->operations[op].present)
			rc = load(r, points_key(s, operation_name((enum operation)op), key), &a->kept_cost[op], e);
		a->points.expected[op] = a->kept_cost[op];
	}
	if (a->points.known)
		destination_begin_slowly(&t->health);
	return rc;
}

enum rc trouble_load(struct engine_destination *t, struct store_reader *r, struct err *e)
{
	const struct config_system *s = t->system;
	char key[KEY_MAX];
	int64_t value;
	enum rc rc = load(r, health_key(s, key), &value, e);
	if (rc == RC_OK && (value == DESTINATION_BACKING_OFF || value == DESTINATION_STOPPED))
		destination_restore(&t->health, (enum destination_state)value, t->hub->engine->now);
	for (int op = 0; op < OPERATIONS && rc == RC_OK && s->delivery.breaker.samples; op++) {
		if (!s->pack->operations[op].present)
			continue;
		rc = load(r, breaker_key(s, (enum operation)op, key), &value, e);
		if (rc == RC_OK && value)
			admission_restore(t, (enum operation)op, value);
	}
	return rc == RC_OK ? load_points(t, r, e) : rc;
}
