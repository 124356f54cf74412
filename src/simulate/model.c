#include "simulate/model_books.h"

#include "base/hash.h"
#include "base/mem.h"
#include "format/json.h"

#include <stdarg.h>
#include <stdio.h>

const char *const model_items[MODEL_ITEMS] = {"A-1", "A-2", "A-3", "A-4", "A-5"};
const char *const model_products[MODEL_PRODUCTS] = {"A-1", "A-2", "A-3", "A-4", "A-5", "K-1", "K-2"};
const char *const model_lots[MODEL_LOTS] = {"L1", "L2", ""};
const int model_kits[MODEL_KITS][MODEL_ITEMS] = {{1, 2, 0, 0, 0}, {0, 1, 1, 0, 0}};
const char *const model_places[MODEL_PLACES] = {"east", "west", "south"};
const char *const model_channels[MODEL_CHANNELS] = {"shop", "portal"};

static const struct hash_key chain_key = {"a-chain-of-rows"};

struct model *model_new(const struct model_policy *policy)
{
	struct model *m = mem_zalloc(1, sizeof(*m));

	m->policy = *policy;
	memset(m->told, -1, sizeof(m->told));
	memset(m->last, -1, sizeof(m->last));
	map_init(&m->by_id, MODEL_ORDERS);
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	map_done(&m->by_id);
	free(m->changes);
	free(m);
}

struct model *model_again(const struct model *m)
{
	struct model *n = model_new(&m->policy);

	n->reads_again = true;
	n->fact_count = m->fact_count;
	n->order_count = m->order_count;
	n->hold_count = m->hold_count;
	for (int i = 0; i < m->fact_count; i++) {
		n->facts[i] = m->facts[i];
		n->facts[i].applied = n->facts[i].taken_back = false;
		n->facts[i].seq = 0;
		memset(n->facts[i].effect, 0, sizeof(n->facts[i].effect));
	}
	for (int c = 0; c < MODEL_CHANNELS; c++)
		for (int i = 0; i < MODEL_ITEMS; i++)
			for (int p = 0; p < MODEL_PLACES; p++)
				n->fences[c][i][p].asked = m->fences[c][i][p].asked;
	for (int i = 0; i < m->order_count; i++) {
		struct model_order *o = &n->orders[i];

		o->channel = m->orders[i].channel;
		o->line_count = m->orders[i].line_count;
		memcpy(o->lines, m->orders[i].lines, sizeof(o->lines));
		memcpy(o->ordered, m->orders[i].ordered, sizeof(o->ordered));
	}
	n->serial_count = m->serial_count;
	memcpy(n->named, m->named, sizeof(n->named));
	n->report_count = m->report_count;
	for (int i = 0; i < m->report_count; i++) {
		n->reports[i] = m->reports[i];
		memset(n->reports[i].corrected, 0, sizeof(n->reports[i].corrected));
	}
	for (int i = 0; i < m->hold_count; i++) {
		n->holds[i].channel = m->holds[i].channel;
		n->holds[i].line_count = m->holds[i].line_count;
		n->holds[i].partial = m->holds[i].partial;
		memcpy(n->holds[i].lines, m->holds[i].lines, sizeof(n->holds[i].lines));
		memcpy(n->holds[i].wanted, m->holds[i].wanted, sizeof(n->holds[i].wanted));
	}
	return n;
}

void model_break(struct model *m, const char *format, ...)
{
	va_list args;

	if (m->broken[0])
		return;
	va_start(args, format);
	vsnprintf(m->broken, sizeof(m->broken), format, args);
	va_end(args);
}

int model_number(struct str name, char kind)
{
	int n = 0;

	if (name.n < 2 || name.n > 7 || name.p[0] != kind)
		return -1;
	for (size_t i = 1; i < name.n; i++) {
		if (name.p[i] < '0' || name.p[i] > '9')
			return -1;
		n = n * 10 + (name.p[i] - '0');
	}
	return n;
}

int model_find(const char *const *names, int count, struct str name)
{
	for (int i = 0; i < count; i++)
		if (str_is(name, names[i]))
			return i;
	return -1;
}

int model_item(struct str sku)
{
	return model_find(model_items, MODEL_ITEMS, sku);
}

int model_product(struct str sku)
{
	return model_find(model_products, MODEL_PRODUCTS, sku);
}

int model_place(struct str location)
{
	return model_find(model_places, MODEL_PLACES, location);
}

int model_in_one(int product, int item)
{
	return product < MODEL_ITEMS ? product == item : model_kits[product - MODEL_ITEMS][item];
}

void model_chain(uint64_t *chain, int64_t seq, struct str a, struct str b)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%lld %016llx", (long long)seq, (unsigned long long)*chain);

	*chain = hash64(&chain_key, (struct str){text, (size_t)n}) ^ hash64(&chain_key, a) ^ hash64(&chain_key, b) << 1;
}

static bool starts_with(struct str s, const char *z)
{
	size_t n = strlen(z);

	return s.n > n && memcmp(s.p, z, n) == 0;
}

/* With a kit its components are known. */
static void take_record(struct model *m, int product)
{
	m->known[product] = m->recorded[product] = true;
	for (int i = 0; product >= MODEL_ITEMS && i < MODEL_ITEMS; i++)
		m->known[i] |= model_kits[product - MODEL_ITEMS][i] > 0;
}

/* Most movements are of ours only, and need not be read. */
static bool tells_of_owners(const struct model_event *row)
{
	static const char member[] = "\"consigned\"";

	return str_is(row->type, "stock.moved") && memmem(row->data.p, row->data.n, member, sizeof(member) - 1);
}

void model_take_event(struct model *m, const struct model_event *row)
{
	struct json *data = NULL;
	struct arena a;

	if (row->position != m->position + 1)
		model_break(m, "log: event %lld follows event %lld", (long long)row->position, (long long)m->position);
	m->position = row->position;
	m->now = row->at;
	m->newest = row->at > m->newest ? row->at : m->newest;
	model_chain(&m->event_chain, row->position, row->data, row->type);
	if (str_is(row->type, "item.recorded") && model_product(row->subject) >= 0)
		take_record(m, model_product(row->subject));
	if (str_is(row->type, "reconciliation.completed") || str_is(row->type, "reconciliation.failed"))
		model_report_ends(m, row->subject, str_is(row->type, "reconciliation.failed"));
	bool told = str_is(row->type, "availability.changed"), fences = str_is(row->type, "ring_fences.set");
	bool shipment = str_is(row->type, "shipment.created");
	bool consigned = tells_of_owners(row), drift = str_is(row->type, "serial.drift");

	m->subscribed |= str_is(row->type, "subscription.created");
	if (m->subscribed && starts_with(row->type, "order.") && row->position < MODEL_WANTED)
		m->wanted[row->position] = 1;
	if (!told && !fences && !shipment && !consigned && !drift && !starts_with(row->type, "order.") &&
	    !starts_with(row->type, "reservation."))
		return;
	arena_init(&a, 1u << 20);
	if (json_parse(&a, row->data, NULL, &data, NULL) != RC_OK)
		model_break(m, "log: event %lld is not JSON", (long long)row->position);
	else if (told)
		model_take_told(m, row, data);
	else if (shipment)
		model_take_shipment(m, row, data);
	else if (drift)
		model_take_drift(m, data);
	else if (consigned)
		model_take_consigned(m, data);
	else if (fences)
		model_take_fences(m, data);
	else if (starts_with(row->type, "order."))
		model_take_order(m, row, data);
	else
		model_take_reservation(m, row, data);
	arena_done(&a);
}

/* ---- sums ---- */

void model_check(struct model *m)
{
	int allocated[MODEL_ITEMS] = {0}, held[MODEL_ITEMS][MODEL_PLACES] = {0};

	model_settle_fences(m);
	model_check_settled(m);
	model_check_drift(m);
	for (int n = 0; n < m->order_count; n++)
		model_check_order(m, n, allocated);
	for (int n = 0; n < m->hold_count; n++)
		model_check_given(m, n);
	for (int n = 0; n < m->hold_count; n++)
		for (int i = 0; m->holds[n].seen && !m->holds[n].ends && i < MODEL_ITEMS; i++)
			for (int p = 0; p < MODEL_PLACES; p++)
				held[i][p] += m->holds[n].held[i][p];
	for (int i = 0; i < MODEL_ITEMS; i++) {
		for (int p = 0; p < MODEL_PLACES; p++) {
			int there = m->states[i][p][STOCK_HELD];

			allocated[i] -= m->states[i][p][STOCK_ALLOCATED];
			for (int o = 0; o < MODEL_OWNERS; o++) {
				there += m->theirs[o][i][p][STOCK_HELD];
				allocated[i] -= m->theirs[o][i][p][STOCK_ALLOCATED];
			}
			if (there != held[i][p])
				model_break(m, "reservations: %d of %s are held at %s, live reservations hold %d",
					    there, model_items[i], model_places[p], held[i][p]);
		}
		if (allocated[i])
			model_break(m, "conservation: orders have %d more of %s allocated than the ledger",
				    allocated[i], model_items[i]);
	}
}
