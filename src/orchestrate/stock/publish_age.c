/*
 * The age of what availability rests on: when each location's system of record was heard of last. A message of any kind
 * counts, so a heartbeat keeps the data fresh. Where a channel has a max age, data that is older takes the location out
 * (zero), or nothing of the item rises (freeze); the change is an event, and all items are compared again, some at a
 * time. The last times are rows that are written now and then, so a start does not make old data look fresh.
 */
#include "base/mem.h"
#include "orchestrate/stock/publish_internal.h"
#include "orchestrate/stock/view_writer.h"

#include <stdio.h>

#define WRITE_EVERY_MS 10000

int stock_record_of(const struct config_tenant *t, uint16_t location)
{
	return t->locations[location].warehouse >= 0 ? t->locations[location].warehouse : t->record_stock;
}

static struct age *age_of(struct publisher *p, uint16_t channel, uint16_t system)
{
	for (size_t i = 0; i < p->age_count; i++)
		if (p->ages[i].channel == channel && p->ages[i].system == system)
			return &p->ages[i];
	p->ages = mem_grow(p->ages, (p->age_count + 1) * sizeof(*p->ages));
	p->ages[p->age_count] = (struct age){.channel = channel, .system = system};
	return &p->ages[p->age_count++];
}

void age_init(struct publisher *p)
{
	const struct config_tenant *t = p->tenant;

	p->heard_unseen = true;
	p->heard = mem_zalloc(t->system_count + 1, sizeof(*p->heard));
	p->heard_written = mem_zalloc(t->system_count + 1, sizeof(*p->heard_written));
	p->records = mem_zalloc(t->system_count + 1, sizeof(*p->records));
	for (uint16_t i = 0; i < t->location_count; i++)
		if (stock_record_of(t, i) >= 0)
			p->records[stock_record_of(t, i)] = true;
	for (uint16_t c = 0; c < t->channel_count; c++) {
		const struct config_channel *channel = &t->channels[c];

		for (size_t i = 0; channel->max_age_ms > 0 && i < channel->location_count; i++) {
			int system = stock_record_of(t, channel->locations[i]);

			if (system >= 0)
				location_set_add(&age_of(p, c, (uint16_t)system)->locations, channel->locations[i]);
		}
	}
}

void publish_heard(struct publisher *p, struct str source, int64_t now)
{
	for (size_t i = 0; source.n && i < p->tenant->system_count; i++) {
		if (!p->records[i] || !str_eq(p->tenant->systems[i].name, source))
			continue;
		p->heard[i] = now;
		p->heard_dirty = p->heard_unseen = true;
	}
}

void publish_show_heard(struct publisher *p, struct stock_view *v)
{
	if (!p->heard_unseen)
		return;
	p->heard_unseen = false;
	for (uint16_t i = 0; i < p->tenant->location_count; i++)
		stock_view_heard(v, i, publish_heard_at(p, i));
}

int64_t publish_heard_at(const struct publisher *p, uint16_t location)
{
	int system = stock_record_of(p->tenant, location);

	return system < 0 ? -1 : p->heard[system];
}

static struct str heard_name(char *name, size_t size, struct str system)
{
	int n = snprintf(name, size, "heard:" STR_FMT, STR_ARG(system));

	return (struct str){name, n < 0 || (size_t)n >= size ? 0 : (size_t)n};
}

void publish_load_heard(struct publisher *p, struct str name, int64_t at)
{
	char of[128];

	for (size_t i = 0; i < p->tenant->system_count; i++)
		if (str_eq(heard_name(of, sizeof(of), p->tenant->systems[i].name), name))
			p->heard[i] = p->heard_written[i] = at;
}

static void write_heard(struct publisher *p, struct txn *t)
{
	char name[128];

	p->heard_dirty = false;
	for (size_t i = 0; i < p->tenant->system_count; i++) {
		struct str key;

		if (p->heard[i] <= p->heard_written[i])
			continue;
		if (p->heard[i] < p->heard_written[i] + WRITE_EVERY_MS) {
			p->heard_dirty = true;
			continue;
		}
		key = heard_name(name, sizeof(name), p->tenant->systems[i].name);
		txn_put(t, W_META, SV_TEXT(txn_copy(t, key)), SV_INT(p->heard[i]));
		p->heard_written[i] = p->heard[i];
	}
}

static int64_t stale_at(const struct publisher *p, const struct age *a)
{
	return p->heard[a->system] + p->tenant->channels[a->channel].max_age_ms + 1;
}

static void tell(const struct publisher *p, struct txn *t, const struct age *a)
{
	const struct config_channel *c = &p->tenant->channels[a->channel];
	struct json_writer w;
	struct buf data;

	buf_init(&data, 64u << 10);
	jw_init(&w, &data);
	jw_object(&w);
	jw_key_text(&w, "channel", c->name);
	jw_key_text(&w, "system", p->tenant->systems[a->system].name);
	if (p->heard[a->system])
		jw_key_time(&w, "heard_at", p->heard[a->system]);
	jw_key_text(&w, "when_stale", c->stale_zero ? STR("zero") : STR("freeze"));
	jw_key(&w, "locations");
	jw_array(&w);
	for (uint16_t i = 0; i < p->tenant->location_count; i++)
		if (location_set_has(&a->locations, i))
			jw_text(&w, p->tenant->locations[i].name);
	jw_array_end(&w);
	jw_object_end(&w);
	t->cause = (struct txn_cause){.correlation_id = txn_uuid(t)};
	txn_event(t, a->stale ? "availability.stale" : "availability.fresh", c->name, 0, txn_text(t, &data));
	buf_done(&data);
}

/* Is it known by now which of them are stale? Without events: the state as it is loaded. */
static bool judge(struct publisher *p, struct age *a, int64_t now)
{
	bool stale = stale_at(p, a) <= now;
	struct location_set *set = &p->stock->stale[a->channel];

	if (stale == a->stale)
		return false;
	a->stale = stale;
	for (size_t i = 0; i < LOCATION_SET_WORDS; i++)
		set->word[i] = stale ? set->word[i] | a->locations.word[i] : set->word[i] & ~a->locations.word[i];
	return true;
}

void publish_load_ages(struct publisher *p, int64_t now)
{
	for (size_t i = 0; i < p->age_count; i++)
		judge(p, &p->ages[i], now);
}

void age_step(struct publisher *p, struct txn *t)
{
	for (size_t i = 0; i < p->age_count; i++) {
		if (!judge(p, &p->ages[i], t->now))
			continue;
		tell(p, t, &p->ages[i]);
		p->sweep = p->stock->item_count;
	}
	if (p->heard_dirty)
		write_heard(p, t);
}

int64_t age_next(const struct publisher *p)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < p->age_count; i++)
		if (!p->ages[i].stale && stale_at(p, &p->ages[i]) < next)
			next = stale_at(p, &p->ages[i]);
	return next;
}

size_t publish_stale_locations(const struct publisher *p, uint16_t channel)
{
	size_t count = 0;

	for (size_t i = 0; i < LOCATION_SET_WORDS; i++)
		count += (size_t)__builtin_popcountll(p->stock->stale[channel].word[i]);
	return count;
}
