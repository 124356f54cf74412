#include "orchestrate/reconcile/compare.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "orchestrate/stock/entry.h"

/* Two like movements further apart than this are two deliveries, not one booked twice. */
#define DOUBLE_WITHIN_MS ((int64_t)24 * 3600 * 1000)

struct change {
	struct change *next;
	int64_t occurred_at;
	qty_t delta;
	struct str type, event_id;
};

/* One item at one place: its changes, and its candidate if there is a difference. */
struct place {
	struct str key;
	struct change *changes;
	struct drift *drift;
};

struct reconcile {
	const struct config_tenant *tenant;
	bool *in_scope; /* by location */
	struct arena arena;
	struct map places;
	struct drift **candidates;
	size_t count, room;
	struct reconcile_totals totals;
	uint64_t *seen; /* open addressing; 0: empty. A collision of 64 bits hides one missing item. */
	size_t seen_count, seen_room;
};

const char *drift_class_name(enum drift_class c)
{
	static const char *const names[DRIFT_CLASSES] = {[DRIFT_LATE] = "late",
							 [DRIFT_LOST] = "lost",
							 [DRIFT_DOUBLE] = "double",
							 [DRIFT_MASTER_DATA] = "master_data"};
	return c > 0 && c < DRIFT_CLASSES ? names[c] : "invalid";
}

const char *drift_action_name(enum drift_action a)
{
	static const char *const names[DRIFT_ACTIONS] = {[DRIFT_REPORTED] = "reported",
							 [DRIFT_TOLERATED] = "tolerated",
							 [DRIFT_CORRECTED] = "corrected",
							 [DRIFT_RAISED] = "raised"};
	return a > 0 && a < DRIFT_ACTIONS ? names[a] : "invalid";
}

struct reconcile *reconcile_new(const struct config_tenant *tenant, const uint16_t *locations, size_t count)
{
	struct reconcile *r = mem_zalloc(1, sizeof(*r));
	r->tenant = tenant;
	r->in_scope = mem_zalloc(tenant->location_count, sizeof(*r->in_scope));
	for (size_t i = 0; i < count; i++)
		r->in_scope[locations[i]] = true;
	arena_init(&r->arena, RECONCILE_BYTES_MAX);
	map_init(&r->places, (size_t)RECONCILE_CANDIDATES_MAX * 8);
	return r;
}

void reconcile_free(struct reconcile *r)
{
	if (!r)
		return;
	map_done(&r->places);
	arena_done(&r->arena);
	free(r->in_scope);
	free(r->candidates);
	free(r->seen);
	free(r);
}

/* ---- places ---- */

#define KEY_PART_MAX 250 /* names are shorter (schemas/common) */
#define KEY_MAX      (3 * (KEY_PART_MAX + 1))

static struct str key_of(char out[KEY_MAX], struct str sku, struct str location, struct str lot)
{
	const struct str parts[] = {sku, location, lot};
	size_t n = 0;
	for (int i = 0; i < 3; i++) {
		size_t part = parts[i].n < KEY_PART_MAX ? parts[i].n : KEY_PART_MAX;
		if (part)
			memcpy(out + n, parts[i].p, part);
		n += part;
		out[n++] = '\x1f';
	}
	return (struct str){out, n};
}

static struct place *place_find(const struct reconcile *r, struct str sku, struct str location, struct str lot)
{
	char key[KEY_MAX];
	return map_get(&r->places, key_of(key, sku, location, lot));
}

static struct place *place_make(struct reconcile *r, struct str sku, struct str location, struct str lot)
{
	char text[KEY_MAX];
	struct str key = key_of(text, sku, location, lot);
	struct place *p = map_get(&r->places, key);
	if (p)
		return p;
	p = arena_new(&r->arena, struct place);
	if (!p)
		return NULL;
	p->key = arena_copy(&r->arena, key);
	return p->key.p && map_put(&r->places, p->key, p) == RC_OK ? p : NULL;
}

static enum rc add_change(struct reconcile *r, struct place *p, const struct reconcile_change *c)
{
	struct change *change = p ? arena_new(&r->arena, struct change) : NULL;
	if (!change)
		return RC_LIMIT;
	*change = (struct change){.next = p->changes,
				  .occurred_at = c->occurred_at,
				  .delta = c->delta,
				  .type = arena_copy(&r->arena, c->type),
				  .event_id = arena_copy(&r->arena, c->event_id)};
	p->changes = change;
	return RC_OK;
}

/* Balances may be told by lot, by location, or for all of the scope: a change counts in each. */
static size_t keys_of(const struct reconcile_change *c, struct str keys[3][2])
{
	size_t n = 0;
	if (c->lot.n) {
		keys[n][0] = c->location;
		keys[n++][1] = c->lot;
	}
	keys[n][0] = c->location;
	keys[n++][1] = STR_NONE;
	keys[n][0] = STR_NONE;
	keys[n++][1] = STR_NONE;
	return n;
}

static bool covers(const struct reconcile *r, struct str location)
{
	const struct config_location *l = config_find_location(r->tenant, location);
	return l && r->in_scope[l->index];
}

enum rc reconcile_moved(struct reconcile *r, const struct reconcile_change *c)
{
	struct str keys[3][2];
	size_t n = covers(r, c->location) ? keys_of(c, keys) : 0;
	enum rc rc = RC_OK;
	for (size_t i = 0; i < n && rc == RC_OK; i++)
		rc = add_change(r, place_make(r, c->sku, keys[i][0], keys[i][1]), c);
	return rc;
}

enum rc reconcile_history(struct reconcile *r, const struct reconcile_change *c)
{
	struct str keys[3][2];
	size_t n = covers(r, c->location) ? keys_of(c, keys) : 0;
	enum rc rc = RC_OK;
	for (size_t i = 0; i < n && rc == RC_OK; i++) {
		struct place *p = place_find(r, c->sku, keys[i][0], keys[i][1]);
		if (p && p->drift)
			rc = add_change(r, p, c);
	}
	return rc;
}

/* ---- what they mentioned ---- */

static void seen_insert(struct reconcile *r, uint64_t h)
{
	size_t at = h & (r->seen_room - 1);
	while (r->seen[at] && r->seen[at] != h)
		at = (at + 1) & (r->seen_room - 1);
	r->seen_count += !r->seen[at];
	r->seen[at] = h;
}

static uint64_t seen_hash(struct str sku, struct str location, struct str lot)
{
	char key[KEY_MAX];
	uint64_t h = hash64(hash_process_key(), key_of(key, sku, location, lot));
	return h ? h : 1;
}

static void seen_add(struct reconcile *r, struct str sku, struct str location, struct str lot)
{
	if (r->seen_count * 2 >= r->seen_room) {
		uint64_t *old = r->seen;
		size_t room = r->seen_room;
		r->seen_room = room ? room * 2 : 1024;
		r->seen = mem_zalloc(r->seen_room, sizeof(*r->seen));
		r->seen_count = 0;
		for (size_t i = 0; i < room; i++)
			if (old[i])
				seen_insert(r, old[i]);
		free(old);
	}
	seen_insert(r, seen_hash(sku, location, lot));
}

static bool seen_has(const struct reconcile *r, struct str sku, struct str location, struct str lot)
{
	uint64_t h = seen_hash(sku, location, lot);
	if (!r->seen_room)
		return false;
	for (size_t at = h & (r->seen_room - 1); r->seen[at]; at = (at + 1) & (r->seen_room - 1))
		if (r->seen[at] == h)
			return true;
	return false;
}

/* ---- comparing ---- */

static qty_t on_hand(const struct stock_position *p)
{
	qty_t sum = 0;
	for (int s = 0; s < STOCK_STATES; s++)
		if (stock_state_on_hand((enum stock_state)s))
			sum += p->states[s];
	return sum;
}

/* Ours as of the drift's instant: now, without what moved since. */
static void set_ours(const struct reconcile *r, struct drift *d, const struct stock_position *positions, size_t count)
{
	const struct place *p = place_find(r, d->sku, d->place, d->lot);
	d->ours = 0;
	d->lots = false;
	for (size_t i = 0; i < count; i++) {
		const struct stock_position *at = &positions[i];
		if (d->location == RECONCILE_ANYWHERE ? !r->in_scope[at->location] : at->location != d->location)
			continue;
		if (d->lot.n && !str_eq(d->lot, at->lot))
			continue;
		qty_t here = on_hand(at);
		d->ours += here;
		d->lots = d->lots || (here && ((at->lot.n && !d->lot.n) || at->owner.n));
	}
	for (const struct change *c = p ? p->changes : NULL; c; c = c->next)
		if (c->occurred_at > d->as_of)
			d->ours -= c->delta;
}

static enum rc candidate(struct reconcile *r, const struct drift *found)
{
	if (r->count >= RECONCILE_CANDIDATES_MAX)
		return RC_LIMIT;
	struct place *p = place_make(r, found->sku, found->place, found->lot);
	struct drift *d = p ? arena_new(&r->arena, struct drift) : NULL;
	if (!d)
		return RC_LIMIT;
	*d = *found;
	d->sku = arena_copy(&r->arena, found->sku);
	d->place = arena_copy(&r->arena, found->place);
	d->lot = arena_copy(&r->arena, found->lot);
	d->unit = arena_copy(&r->arena, found->unit);
	p->drift = d;
	if (r->count == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->candidates = mem_grow(r->candidates, r->room * sizeof(struct drift *));
	}
	r->candidates[r->count++] = d;
	return d->sku.p ? RC_OK : RC_LIMIT;
}

static struct str mismatch(const struct reconcile *r, const struct reconcile_balance *b,
			   const struct config_location *l, bool known)
{
	if (!known)
		return b->quantity ? STR("the item is not known here") : STR_NONE;
	if (b->location.n && !l)
		return STR("the location is not known here");
	if (l && !r->in_scope[l->index])
		return STR("the location is not this system's");
	return STR_NONE;
}

enum rc reconcile_balance(struct reconcile *r, const struct reconcile_balance *b,
			  const struct stock_position *positions, size_t count)
{
	const struct config_location *l = b->location.n ? config_find_location(r->tenant, b->location) : NULL;
	struct drift d = {.sku = b->sku,
			  .location = l ? l->index : RECONCILE_ANYWHERE,
			  .place = b->location,
			  .lot = b->lot,
			  .unit = b->unit,
			  .theirs = b->quantity,
			  .as_of = b->as_of};
	d.why = mismatch(r, b, l, positions != NULL);
	if (l || !b->location.n)
		set_ours(r, &d, positions, count);
	r->totals.compared++;
	seen_add(r, b->sku, b->location, b->lot);
	if (!d.why.n && d.ours == d.theirs) {
		r->totals.equal++;
		return RC_OK;
	}
	d.class_ = d.why.n ? DRIFT_MASTER_DATA : 0;
	return candidate(r, &d);
}

enum rc reconcile_ours(struct reconcile *r, struct str sku, const struct stock_position *positions, size_t count,
		       int64_t as_of)
{
	if (seen_has(r, sku, STR_NONE, STR_NONE))
		return RC_OK;
	for (size_t i = 0; i < count; i++) {
		const struct stock_position *p = &positions[i];
		struct drift d = {.sku = sku, .location = p->location, .lot = p->lot, .as_of = as_of};
		enum rc rc;
		d.place = r->tenant->locations[p->location].name;
		if (!r->in_scope[p->location] || seen_has(r, sku, d.place, STR_NONE) ||
		    seen_has(r, sku, d.place, d.lot))
			continue;
		seen_add(r, sku, d.place, d.lot); /* another owner's lies in the same sum */
		set_ours(r, &d, positions, count);
		r->totals.compared++;
		r->totals.equal += d.ours == 0;
		rc = d.ours ? candidate(r, &d) : RC_OK;
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

enum rc reconcile_shown(struct reconcile *r, struct str sku, qty_t shown, qty_t should, bool known, int64_t as_of)
{
	struct drift *before = reconcile_find(r, sku, STR_NONE, STR_NONE);
	struct drift d = {.sku = sku, .location = RECONCILE_ANYWHERE, .theirs = shown, .ours = should, .as_of = as_of};
	if (before) { /* the second look */
		before->class_ = !known ? DRIFT_MASTER_DATA : shown == should ? DRIFT_LATE : DRIFT_LOST;
		before->theirs = shown;
		before->ours = should;
		before->as_of = as_of;
		return RC_OK;
	}
	r->totals.compared++;
	if (!known && shown) {
		d.class_ = DRIFT_MASTER_DATA;
		d.why = STR("the item is not known here");
	}
	if (shown == should) {
		r->totals.equal++;
		return RC_OK;
	}
	return candidate(r, &d);
}

/* ---- judging ---- */

/* Is there a pair of like movements under different ids, so that without one of them the books would agree? */
static bool is_double(const struct place *p, qty_t difference)
{
	for (const struct change *a = p ? p->changes : NULL; a; a = a->next) {
		if (a->delta != -difference)
			continue;
		for (const struct change *b = a->next; b; b = b->next) {
			int64_t apart = a->occurred_at - b->occurred_at;
			if (b->delta == a->delta && str_eq(a->type, b->type) && !str_eq(a->event_id, b->event_id) &&
			    apart <= DOUBLE_WITHIN_MS && -apart <= DOUBLE_WITHIN_MS)
				return true;
		}
	}
	return false;
}

void reconcile_judge(struct reconcile *r, struct drift *d, struct str our_unit, const struct stock_position *positions,
		     size_t count)
{
	if (d->class_ == DRIFT_MASTER_DATA)
		return;
	set_ours(r, d, positions, count);
	if (d->unit.n && our_unit.n && !str_eq(d->unit, our_unit)) {
		d->class_ = DRIFT_MASTER_DATA;
		d->why = STR("the unit is another");
	} else if (d->ours == d->theirs)
		d->class_ = DRIFT_LATE;
	else
		d->class_ =
		    is_double(place_find(r, d->sku, d->place, d->lot), d->theirs - d->ours) ? DRIFT_DOUBLE : DRIFT_LOST;
}

bool drift_tolerable(const struct drift *d, qty_t units, int32_t ppm)
{
	qty_t difference = d->theirs > d->ours ? d->theirs - d->ours : d->ours - d->theirs;
	qty_t base = d->ours > 0 ? d->ours : 0;
	return difference <= units || (__int128)difference * 1000000 <= (__int128)base * ppm;
}

struct reconcile_totals reconcile_totals(const struct reconcile *r)
{
	return r->totals;
}

size_t reconcile_count(const struct reconcile *r)
{
	return r->count;
}

struct drift *reconcile_at(struct reconcile *r, size_t i)
{
	return r->candidates[i];
}

struct drift *reconcile_find(const struct reconcile *r, struct str sku, struct str location, struct str lot)
{
	const struct place *p = place_find(r, sku, location, lot);
	return p ? p->drift : NULL;
}
