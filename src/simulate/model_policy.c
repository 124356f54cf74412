/* What a channel may sell by its policy, as the model sees it. */
#include "simulate/model_books.h"

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* What is surely left: what was given back is not seen. */
static int fence_left(const struct model_fence *f)
{
	return f->fresh || f->used >= f->quantity ? 0 : f->quantity - f->used;
}

/* At most. */
static int fence_own(const struct model_fence *f)
{
	return f->before > f->quantity ? f->before : f->quantity;
}

/* Those of channels that come first are filled first. */
int model_kept_from(const struct model *m, int channel, int item, int place, int free)
{
	int kept = 0;

	for (int c = 0; c < MODEL_CHANNELS && free > 0; c++) {
		const struct model_fence *f = &m->fences[c][item][place];
		int part = smaller(c == channel ? fence_own(f) : fence_left(f), free);

		free -= part;
		kept += c == channel ? 0 : part;
	}
	return kept;
}

/* Or was. */
bool model_is_fenced(const struct model *m, int item)
{
	for (int c = 0; c < MODEL_CHANNELS; c++)
		for (int p = 0; p < MODEL_PLACES; p++)
			if (m->fences[c][item][p].asked)
				return true;
	return false;
}

bool model_is_stale(const struct model *m, int channel)
{
	int64_t max = m->policy.channels[channel].max_age_ms;

	return max > 0 && m->now > m->heard + max;
}

/* At most so much of what is on its way could be due: what has arrived of it is counted as well. */
static int due(const struct model *m, int channel, int item, int place)
{
	int sum = 0;

	for (int i = 0; i < m->arrival_count; i++) {
		const struct model_arrival *a = &m->arrivals[i];

		if (a->item == item && a->place == place &&
		    a->expected_at <= m->newest + m->policy.channels[channel].horizon_ms)
			sum += a->quantity;
	}
	return sum;
}

static int may_sell_item(const struct model *m, int channel, int item)
{
	const int *places = m->policy.channels[channel].places;
	bool discontinued = m->policy.discontinued >> item & 1 && m->recorded[item];
	bool gone = model_is_stale(m, channel) && m->policy.channels[channel].stale_zero;
	int inbound = 0;
	int64_t pool = 0, consigned = 0, sell, own = 0, kept = 0;

	if (!m->known[item])
		return 0;
	for (int i = 0; !gone && i < m->policy.channels[channel].place_count; i++) {
		const int *states = m->states[item][places[i]];
		int base = states[STOCK_FREE] - m->policy.safety[places[i]];

		pool += base > 0 ? base : 0;
		consigned += model_consigned_for(m, channel, item, places[i], base);
		for (int c = 0; c < MODEL_CHANNELS; c++) {
			const struct model_fence *f = &m->fences[c][item][places[i]];

			own += c == channel ? fence_own(f) : 0;
			kept += c == channel ? 0 : fence_left(f);
		}
		inbound += smaller(due(m, channel, item, places[i]), states[STOCK_IN_TRANSIT]);
	}
	pool += smaller(inbound, m->policy.channels[channel].inbound_cap);
	/* What is kept for it is not shared; the most that both can come to. */
	own = own < pool ? own : pool;
	kept = kept < pool ? kept : pool;
	if (own > 0)
		own = own > pool - kept ? own : pool - kept;
	sell = (pool - kept + consigned) * m->policy.channels[channel].share_ppm / 1000000 -
	       m->policy.channels[channel].buffer + (discontinued ? 0 : m->policy.channels[channel].backorder);
	if (own > 0)
		sell = own + consigned - m->policy.channels[channel].buffer +
		       (discontinued ? 0 : m->policy.channels[channel].backorder);
	if (m->policy.channels[channel].cap >= 0 && sell > m->policy.channels[channel].cap)
		sell = m->policy.channels[channel].cap;
	if (sell < 0 || sell < m->policy.channels[channel].minimum)
		sell = 0;
	return (int)sell;
}

int model_may_sell(const struct model *m, int channel, int product)
{
	int least = -1;

	if (product < MODEL_ITEMS)
		return may_sell_item(m, channel, product);
	if (!m->recorded[product])
		return 0;
	for (int i = 0; i < MODEL_ITEMS; i++) {
		int in_one = model_kits[product - MODEL_ITEMS][i];
		int kits = in_one ? may_sell_item(m, channel, i) / in_one : -1;

		if (kits >= 0 && (least < 0 || kits < least))
			least = kits;
	}
	return least;
}

void model_take_fences(struct model *m, const struct json *data)
{
	const struct json *items = json_get(data, "items");

	for (uint32_t i = 0; items && i < items->count; i++) {
		const struct json *one = &items->items[i];
		int item = model_item(json_get_text(one, "sku")), place = model_place(json_get_text(one, "location"));
		int channel = model_find(model_channels, MODEL_CHANNELS, json_get_text(one, "channel"));
		struct model_fence *f;
		qty_t q = -1;

		if (item < 0 || place < 0 || channel < 0 ||
		    qty_parse(json_get_text(one, "quantity"), &q, NULL) != RC_OK || q / QTY_ONE > MODEL_FENCE_MAX) {
			model_break(m, "log: a ring-fence of nothing");
			continue;
		}
		f = &m->fences[channel][item][place];
		if (!(f->asked >> (q / QTY_ONE) & 1))
			model_break(m, "fences: %lld of %s at %s are kept for %s, nobody asked for that",
				    (long long)(q / QTY_ONE), model_items[item], model_places[place],
				    model_channels[channel]);
		f->before = f->fresh && f->before > f->quantity ? f->before : f->quantity;
		f->quantity = (int)(q / QTY_ONE);
		f->used = 0;
		f->fresh = true;
	}
}

void model_take_told(struct model *m, const struct model_event *row, const struct json *data)
{
	const struct json *items = json_get(data, "items");
	int channel = model_find(model_channels, MODEL_CHANNELS, row->subject);

	for (uint32_t i = 0; items && i < items->count; i++) {
		int item = model_product(json_get_text(&items->items[i], "sku"));
		int64_t version = -1;
		qty_t q = -1;

		json_int(json_get(&items->items[i], "version"), &version);
		if (channel < 0 || item < 0 || version < 0 ||
		    qty_parse(json_get_text(&items->items[i], "available"), &q, NULL) != RC_OK) {
			model_break(m, "log: event %lld tells nothing", (long long)row->position);
			continue;
		}
		m->told[channel][item][version % MODEL_VERSIONS] = (int)(q / QTY_ONE);
		if (m->fresh_count < MODEL_TOLD)
			m->fresh[m->fresh_count++] =
			    (struct model_told){channel, item, (int)(q / QTY_ONE), m->last[channel][item]};
		m->last[channel][item] = (int)(q / QTY_ONE);
	}
}

void model_check_told(struct model *m)
{
	for (int i = 0; i < m->fresh_count; i++) {
		const struct model_told *t = &m->fresh[i];
		int may = model_may_sell(m, t->channel, t->item);

		if (t->available > may)
			model_break(m, "published: %s is told %d of %s, by stock and policy it may sell %d",
				    model_channels[t->channel], t->available, model_products[t->item], may);
		if (model_is_stale(m, t->channel) && t->before >= 0 && t->available > t->before)
			model_break(m, "age: %s is told %d of %s instead of %d, and the warehouse is silent",
				    model_channels[t->channel], t->available, model_products[t->item], t->before);
	}
	m->fresh_count = 0;
}

void model_settle_fences(struct model *m)
{
	for (int c = 0; c < MODEL_CHANNELS; c++)
		for (int i = 0; i < MODEL_ITEMS; i++)
			for (int p = 0; p < MODEL_PLACES; p++) {
				m->fences[c][i][p].fresh = false;
				m->fences[c][i][p].before = 0;
			}
}
