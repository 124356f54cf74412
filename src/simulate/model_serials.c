/*
 * Serial numbers: where each one is, by all that the warehouse has told of it, in the order in which it happened; of
 * one instant, in which it was told. What is taken back did not happen. A count says of those that it names that they
 * are there, and of those that it could have seen and does not name that they are not: also of those that are heard of
 * only later, and no longer of those that are heard to have left before.
 *
 * Everything is gone through again for each serial number that a movement names: there are few.
 */
#include "simulate/model_books.h"

#include <stdlib.h>

#define FACTS_MAX 256 /* of one serial number */

const char *const model_serial_states[MODEL_SERIAL_STATES] = {"unknown",  "in_stock", "quarantined", "picked",
							      "returned", "shipped",  "scrapped"};

/* One thing that was told of a serial number. */
struct telling {
	int64_t at, seq;
	enum movement_type type;
	int place, to, quantity, order;
	bool missed; /* by a count */
};

static bool is_here(enum model_serial_state s)
{
	return s == SERIAL_IS_IN_STOCK || s == SERIAL_IS_QUARANTINED || s == SERIAL_IS_PICKED ||
	       s == SERIAL_IS_RETURNED;
}

static bool is_at(const struct model_serial *s, int place)
{
	return is_here(s->state) && s->place == place;
}

static bool names(const struct model *m, const struct model_line *l, int serial)
{
	for (int i = 0; i < l->serial_count; i++)
		if (m->named[l->serials + i] == serial)
			return true;
	return false;
}

static int by_instant(const void *a, const void *b)
{
	const struct telling *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int gather(struct model *m, int serial, struct telling *out)
{
	int n = 0;

	for (int i = 0; i < m->fact_count; i++) {
		const struct model_fact *f = &m->facts[i];

		for (int k = 0; f->seq && !f->taken_back && k < f->line_count; k++) {
			const struct model_line *l = &f->lines[k];

			if (!names(m, l, serial))
				continue;
			if (n == FACTS_MAX) {
				model_break(m, "the simulation tells too much of one serial number");
				return n;
			}
			out[n++] =
			    (struct telling){f->at, f->seq, f->type, l->place, l->to, l->quantity, f->order, false};
		}
	}
	for (int i = 0; i < m->missed_count && n < FACTS_MAX; i++)
		if (m->missed[i].serial == serial)
			out[n++] = (struct telling){.at = m->missed[i].at,
						    .seq = m->missed[i].seq,
						    .type = MOVE_COUNT,
						    .place = m->missed[i].place,
						    .missed = true};
	qsort(out, (size_t)n, sizeof(*out), by_instant);
	return n;
}

static void tell(struct model_serial *s, const struct telling *t)
{
	bool here = is_at(s, t->place);

	s->at = t->at;
	if (t->missed && !here)
		return;
	if (t->type == MOVE_COUNT && !t->missed && here)
		return;
	s->place = t->type == MOVE_MOVE ? t->to : t->place;
	s->order = -1;
	switch (t->type) {
	case MOVE_RECEIVE:
	case MOVE_MOVE:
	case MOVE_CLEAR:
		s->state = SERIAL_IS_IN_STOCK;
		return;
	case MOVE_COUNT:
		s->state = t->missed ? SERIAL_IS_UNKNOWN : SERIAL_IS_IN_STOCK;
		return;
	case MOVE_ADJUST:
		s->state = t->quantity > 0 ? SERIAL_IS_IN_STOCK : SERIAL_IS_UNKNOWN;
		return;
	case MOVE_PICK:
	case MOVE_SHIP:
		s->state = t->type == MOVE_PICK ? SERIAL_IS_PICKED : SERIAL_IS_SHIPPED;
		s->order = t->order;
		return;
	case MOVE_QUARANTINE:
		s->state = SERIAL_IS_QUARANTINED;
		return;
	case MOVE_SCRAP:
		s->state = SERIAL_IS_SCRAPPED;
		return;
	case MOVE_RETURN:
		s->state = SERIAL_IS_RETURNED;
		return;
	case MOVE_ORDER_IN:
	case MOVE_ANNOUNCE:
	case MOVE_REVERSE:
		return;
	}
}

/* Before a movement. */
static struct model_serial serial_before(struct model *m, int serial, int64_t at, int64_t seq)
{
	struct model_serial now = {.place = -1, .order = -1, .at = INT64_MIN};
	const struct telling then = {.at = at, .seq = seq};
	struct telling all[FACTS_MAX];
	int n = gather(m, serial, all);

	for (int i = 0; i < n && by_instant(&all[i], &then) < 0; i++)
		tell(&now, &all[i]);
	return now;
}

struct model_serial model_serial_now(struct model *m, int serial)
{
	return serial_before(m, serial, INT64_MAX, INT64_MAX);
}

/* ---- what does not fit, and has to be said ---- */

static bool fits(const struct model_fact *f, const struct model_line *l, const struct model_serial *was)
{
	switch (f->type) {
	case MOVE_RECEIVE:
		return was->state == SERIAL_IS_UNKNOWN;
	case MOVE_ADJUST:
		return l->quantity > 0 ? was->state == SERIAL_IS_UNKNOWN : is_at(was, l->place);
	case MOVE_RETURN:
		return was->state == SERIAL_IS_SHIPPED;
	case MOVE_PICK:
	case MOVE_SHIP:
		return is_at(was, l->place) &&
		       (was->state != SERIAL_IS_PICKED || was->order < 0 || f->order < 0 || was->order == f->order);
	case MOVE_MOVE:
	case MOVE_QUARANTINE:
	case MOVE_CLEAR:
	case MOVE_SCRAP:
	case MOVE_COUNT:
		return is_at(was, l->place);
	case MOVE_ORDER_IN:
	case MOVE_ANNOUNCE:
	case MOVE_REVERSE:
		return true;
	}
	return true;
}

static void add_missed(struct model *m, int serial, int64_t at, int64_t seq, int place, bool told)
{
	if (m->missed_count == MODEL_MISSED)
		return;
	m->missed[m->missed_count].at = at;
	m->missed[m->missed_count].seq = seq;
	m->missed[m->missed_count].serial = serial;
	m->missed[m->missed_count].told = told;
	m->missed[m->missed_count++].place = place;
}

static bool counts(const struct model_fact *f)
{
	return f->type == MOVE_COUNT && f->serial && f->seq && !f->taken_back;
}

/* The first count after that movement. */
static const struct model_fact *next_count(const struct model *m, int64_t at, int64_t seq)
{
	const struct model_fact *first = NULL;

	for (int i = 0; i < m->fact_count; i++) {
		const struct model_fact *f = &m->facts[i];

		if (counts(f) && (f->at > at || (f->at == at && f->seq > seq)) &&
		    (!first || f->at < first->at || (f->at == first->at && f->seq < first->seq)))
			first = f;
	}
	return first;
}

static bool speaks_of(const struct model *m, const struct model_fact *f, int serial)
{
	for (int k = 0; k < f->line_count; k++)
		if (names(m, &f->lines[k], serial))
			return true;
	for (int i = 0; i < m->missed_count; i++)
		if (m->missed[i].serial == serial && m->missed[i].seq == f->seq)
			return true;
	return false;
}

/* Something of that movement has changed: what counts after it should have seen, and what they could not. */
static void look_again(struct model *m, int serial, int64_t at, int64_t seq)
{
	const struct model_fact *f;

	while ((f = next_count(m, at, seq))) {
		at = f->at;
		seq = f->seq;
		for (int k = 0; k < f->line_count; k++) {
			struct model_serial was = serial_before(m, serial, at, seq);

			if (!speaks_of(m, f, serial) && is_at(&was, f->lines[k].place))
				add_missed(m, serial, at, seq, f->lines[k].place, false);
		}
	}
	for (int i = 0; i < m->missed_count; i++) {
		struct model_serial was;

		if (m->missed[i].serial != serial)
			continue;
		was = serial_before(m, serial, m->missed[i].at, m->missed[i].seq);
		if (is_at(&was, m->missed[i].place) && !m->missed[i].told)
			m->drift[serial]++;
		m->missed[i].told = is_at(&was, m->missed[i].place);
	}
}

static void look_again_at(struct model *m, const struct model_fact *f)
{
	for (int k = 0; k < f->line_count; k++)
		for (int i = 0; i < f->lines[k].serial_count; i++)
			look_again(m, m->named[f->lines[k].serials + i], f->at, f->seq);
}

/* What it could have seen and has not; it does not look for what was heard of later than it happened. */
static void miss(struct model *m, const struct model_fact *f, const struct model_line *l)
{
	for (int s = 0; s < m->serial_count; s++) {
		struct model_serial was;

		if (names(m, l, s))
			continue;
		was = model_serial_now(m, s);
		if (!is_at(&was, l->place) || f->at < was.at || m->missed_count == MODEL_MISSED)
			continue;
		m->drift[s]++;
		m->touched[s] = true;
		add_missed(m, s, f->at, m->movement, l->place, true);
	}
}

static void touch(struct model *m, const struct model_fact *f)
{
	for (int k = 0; k < f->line_count; k++)
		for (int i = 0; i < f->lines[k].serial_count; i++)
			m->touched[m->named[f->lines[k].serials + i]] = true;
}

void model_take_serials(struct model *m, struct model_fact *f, bool stale)
{
	if (f->type == MOVE_REVERSE) {
		m->facts[f->reverses].taken_back = true;
		touch(m, &m->facts[f->reverses]);
		look_again_at(m, &m->facts[f->reverses]);
		return;
	}
	for (int k = 0; !stale && k < f->line_count; k++)
		for (int i = 0; i < f->lines[k].serial_count; i++) {
			int serial = m->named[f->lines[k].serials + i];
			struct model_serial was = model_serial_now(m, serial);

			if (f->at >= was.at && !fits(f, &f->lines[k], &was))
				m->drift[serial]++;
		}
	touch(m, f);
	for (int k = 0; f->type == MOVE_COUNT && f->serial && !stale && k < f->line_count; k++)
		miss(m, f, &f->lines[k]);
	if (stale)
		return;
	f->seq = m->movement;
	look_again_at(m, f);
}

void model_take_drift(struct model *m, const struct json *data)
{
	struct str name = json_get_text(data, "serial");
	int serial = model_number(name, 'S');

	if (!name.n)
		return;
	if (serial < 0 || serial >= m->serial_count)
		model_break(m, "serials: something is said of " STR_FMT ", which nobody has named", STR_ARG(name));
	else
		m->drift[serial]--;
}

void model_check_drift(struct model *m)
{
	for (int s = 0; s < m->serial_count; s++)
		if (m->drift[s])
			model_break(m, "serials: of S%d %d more contradictions were told than said", s, m->drift[s]);
}

int model_serials_at(struct model *m, int place)
{
	int n = 0;

	for (int s = 0; s < m->serial_count; s++) {
		struct model_serial now = model_serial_now(m, s);

		n += is_at(&now, place);
	}
	return n;
}
