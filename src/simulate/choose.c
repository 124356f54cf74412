/* What kind of world a seed is: its features, how much goes wrong, and the policies, in the configuration as in the
 * model. */
#include "simulate/world.h"

#include <stdio.h>

#define FEATURES_SEED 0x6665617475726573

static const struct {
	const char *name, *text;
	int chance;
} features[FEATURES] = {
#define FEATURE(id, name, chance, text) {name, text, chance},
#include "simulate/features.def"
#undef FEATURE
};

_Static_assert(FEATURES < 32, "features are bits");

const char *feature_name(enum simulate_feature f)
{
	return features[f].name;
}

const char *feature_text(enum simulate_feature f)
{
	return features[f].text;
}

bool features_parse(const char *names, uint32_t *out)
{
	*out = 0;
	while (*names) {
		size_t n = strcspn(names, ",");
		int f = 0;

		while (f < FEATURES && (strlen(features[f].name) != n || strncmp(features[f].name, names, n) != 0))
			f++;
		if (f == FEATURES)
			return false;
		*out |= 1u << f;
		names += n + (names[n] == ',');
	}
	return true;
}

void features_write(uint32_t set, char *out, size_t size)
{
	int n = 0;

	out[0] = '\0';
	for (int f = 0; f < FEATURES && n < (int)size; f++)
		if (set >> f & 1)
			n += snprintf(out + n, size - (size_t)n, "%s%s", n ? "," : "", features[f].name);
}

/* From dice of their own: another choice leaves the rest of the seed as it is. */
static uint32_t choose_features(const struct simulate_options *o)
{
	struct dice d = {o->seed ^ FEATURES_SEED};
	uint32_t set = 0;

	for (int f = 0; f < FEATURES; f++)
		set |= (uint32_t)(dice_between(&d, 0, 99) < features[f].chance) << f;
	return (set | o->with) & ~o->without;
}

static int bad_if(const struct world *w, enum simulate_feature f, int chance)
{
	return world_has(w, f) ? chance : 0;
}

static void choose_weather(struct world *w)
{
	struct dice *d = &w->dice;
	int bad = dice_between(d, 0, 3);

	w->weather = (struct weather){
	    .lose = bad_if(w, FEATURE_LOSS, bad * dice_between(d, 0, 60)),
	    .repeat = bad_if(w, FEATURE_REPEAT, bad * dice_between(d, 0, 60)),
	    .slow = bad_if(w, FEATURE_SLOW, bad * dice_between(d, 0, 60)),
	    .refuse = bad_if(w, FEATURE_REFUSE, bad * dice_between(d, 0, 40)),
	    .crash = bad_if(w, FEATURE_CRASH, bad * dice_between(d, 0, 35)),
	    .disk = bad_if(w, FEATURE_DISK, bad * dice_between(d, 0, 35)),
	    .clock = bad_if(w, FEATURE_CLOCK, bad * dice_between(d, 0, 25)),
	    .outage = bad_if(w, FEATURE_OUTAGE, bad * dice_between(d, 0, 20)),
	    .delay_ms = dice_between(d, 5, 400),
	};
}

static int one_of(struct world *w, int in_thousand, int from, int to)
{
	return dice_chance(&w->dice, in_thousand) ? dice_between(&w->dice, from, to) : 0;
}

static void choose_limits(struct world *w, int n, struct model_policy *p)
{
	static const int shares[] = {1000000, 1000000, 500000, 333333, 800000};
	struct config_channel *c = &w->tenant->channels[n];

	c->share_ppm = p->channels[n].share_ppm = shares[dice_between(&w->dice, 0, 4)];
	p->channels[n].buffer = one_of(w, 400, 1, 3);
	p->channels[n].cap = dice_chance(&w->dice, 300) ? dice_between(&w->dice, 3, 15) : -1;
	p->channels[n].minimum = one_of(w, 200, 1, 4);
	p->channels[n].backorder = one_of(w, 200, 1, 5);
	p->channels[n].strict = dice_chance(&w->dice, 400);
	c->buffer = p->channels[n].buffer * QTY_ONE;
	c->cap = p->channels[n].cap < 0 ? -1 : p->channels[n].cap * QTY_ONE;
	c->minimum = p->channels[n].minimum * QTY_ONE;
	c->backorder = p->channels[n].backorder * QTY_ONE;
	c->strict = p->channels[n].strict;
	c->linger_ms = one_of(w, 500, 1, 1000);
}

static void choose_terms(struct world *w, int n, struct model_policy *p)
{
	struct config_channel *c = &w->tenant->channels[n];
	int quota = dice_between(&w->dice, 3, 10), cap = dice_between(&w->dice, 1, 8);
	int64_t horizon = dice_between(&w->dice, 10, 300) * INT64_C(1000);
	int64_t age = dice_between(&w->dice, 20, 200) * INT64_C(1000);

	p->channels[n].stale_zero = dice_chance(&w->dice, 500);
	p->channels[n].quota = world_has(w, FEATURE_QUOTA) ? quota : 0;
	p->channels[n].inbound_cap = world_has(w, FEATURE_PURCHASES) || world_has(w, FEATURE_TRANSFERS) ? cap : 0;
	p->channels[n].horizon_ms = horizon;
	p->channels[n].max_age_ms = world_has(w, FEATURE_AGE) ? age : 0;
	p->channels[n].split_kits = dice_chance(&w->dice, 300);
	c->split_kits = p->channels[n].split_kits || w->mutation == MUTATE_SPLIT_KIT;
	w->mutated |= w->mutation == MUTATE_SPLIT_KIT;
	c->stale_zero = p->channels[n].stale_zero;
	c->quota_units = p->channels[n].quota * QTY_ONE;
	c->inbound_cap = p->channels[n].inbound_cap * QTY_ONE;
	c->inbound_horizon_ms = horizon;
	c->max_age_ms = p->channels[n].max_age_ms;
	if (w->mutation == MUTATE_QUOTA)
		c->quota_units *= 3;
	if (w->mutation == MUTATE_INBOUND)
		c->inbound_cap *= 3;
	if (w->mutation == MUTATE_AGE)
		c->max_age_ms *= 100;
	w->mutated |=
	    (w->mutation == MUTATE_QUOTA && quota > 0) || w->mutation == MUTATE_INBOUND || w->mutation == MUTATE_AGE;
}

/* Whose stock it sells, and in which order. */
static void choose_owners(struct world *w, int n, struct model_policy *p)
{
	struct config_channel *c = &w->tenant->channels[n];
	int count = world_has(w, FEATURE_CONSIGNED) ? dice_between(&w->dice, 0, MODEL_OWNERS) : 0;
	int first = count ? dice_between(&w->dice, 0, MODEL_OWNERS - 1) : 0;

	p->channels[n].owner_count = count;
	for (int i = 0; i < count; i++)
		p->channels[n].owners[i] = (first + i) % MODEL_OWNERS;
	if (w->mutation == MUTATE_OWNER_ORDER && count == MODEL_OWNERS) {
		first++;
		w->mutated = true;
	}
	if (w->mutation == MUTATE_SELL_OWNER && count < MODEL_OWNERS) {
		count++;
		w->mutated = true;
	}
	c->owner_count = (size_t)count;
	c->consignors = 0;
	for (int i = 0; i < count; i++) {
		c->owners[i] = (uint8_t)(1 + (first + i) % MODEL_OWNERS);
		c->consignors |= (uint64_t)1 << c->owners[i];
		world_say(w, "%s sells what %s owns", model_channels[n], model_owners[c->owners[i] - 1]);
	}
}

static void choose_channel(struct world *w, int n, struct model_policy *p)
{
	struct config_channel *c = &w->tenant->channels[n];
	int count = dice_between(&w->dice, 1, MODEL_PLACES), first = dice_between(&w->dice, 0, MODEL_PLACES - 1);

	p->channels[n].place_count = count;
	for (int i = 0; i < count; i++) {
		p->channels[n].places[i] = (first + i) % MODEL_PLACES;
		c->locations[i] = (uint16_t)p->channels[n].places[i];
	}
	c->location_count = (size_t)count;
	choose_limits(w, n, p);
	choose_terms(w, n, p);
	choose_owners(w, n, p);
	world_say(w, "%s sells from %d places, share %d ppm, buffer %d, cap %d, minimum %d, backorder %d%s",
		  model_channels[n], count, c->share_ppm, p->channels[n].buffer, p->channels[n].cap,
		  p->channels[n].minimum, p->channels[n].backorder, c->strict ? ", strict" : "");
	world_say(w, "%s: quota %d, inbound %d within %lld s, max age %lld s, then %s", model_channels[n],
		  p->channels[n].quota, p->channels[n].inbound_cap, (long long)p->channels[n].horizon_ms / 1000,
		  (long long)p->channels[n].max_age_ms / 1000, c->stale_zero ? "zero" : "freeze");
}

static void choose_delivery(struct world *w, struct config_delivery *d)
{
	d->slots = (uint32_t)dice_between(&w->dice, 1, 4);
	d->timeout_ms = dice_between(&w->dice, 1000, 10000);
	d->retry_base_ms = dice_between(&w->dice, 100, 2000);
	d->retry_max_ms = 60000;
	d->queue_max = dice_chance(&w->dice, 300) ? 16 : 10000;
}

void choose_world(struct world *w, const struct simulate_options *o, struct model_policy *p)
{
	char text[FEATURES_TEXT];

	w->features = choose_features(o);
	features_write(w->features, text, sizeof(text));
	world_say(w, "a world with %s", text);
	choose_weather(w);
	p->discontinued = world_has(w, FEATURE_DISCONTINUED) ? 1 << 3 : 0;
	for (int i = 0; i < MODEL_PLACES; i++) {
		p->safety[i] = one_of(w, 300, 1, 3);
		w->tenant->locations[i].safety_stock = p->safety[i] * QTY_ONE;
	}
	/* Else nobody sells what they own. */
	w->tenant->owner_count = world_has(w, FEATURE_CONSIGNED) ? MODEL_OWNERS : 0;
	for (int i = 0; i < MODEL_CHANNELS; i++)
		choose_channel(w, i, p);
	w->mistakes = world_has(w, FEATURE_SERIALS) && dice_chance(&w->dice, 300);
	p->blurred = goods_blurred(w);
	w->tenant->systems[SYSTEM_WMS].reconcile.settle_ms = dice_between(&w->dice, 1, 90) * INT64_C(1000);
	for (int i = 0; i < WORLD_SYSTEMS; i++)
		choose_delivery(w, &w->tenant->systems[i].delivery);
}
