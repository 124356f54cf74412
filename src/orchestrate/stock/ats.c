#include "orchestrate/stock/ats.h"

static qty_t base_at(const struct stock_position *positions, size_t count, uint16_t location, qty_t safety)
{
	qty_t free = 0;

	for (size_t i = 0; i < count; i++)
		if (positions[i].location == location && stock_is_ours(&positions[i]))
			free += positions[i].states[STOCK_FREE];
	return free > safety ? free - safety : 0;
}

qty_t ats_compute(const struct ats_channel *c, const qty_t *safety, const struct stock_position *positions,
		  size_t count, qty_t *by_location)
{
	qty_t pool = 0, available;

	for (size_t i = 0; i < c->location_count; i++) {
		qty_t base = base_at(positions, count, c->locations[i], safety[c->locations[i]]);

		pool += base;
		if (by_location)
			by_location[i] = base;
	}
	available = (qty_t)((__int128)pool * c->share_ppm / 1000000);
	available -= available % QTY_ONE;
	available += c->backorder - c->buffer;
	if (available < 0)
		available = 0;
	if (c->cap >= 0 && available > c->cap)
		available = c->cap;
	return available < c->minimum ? 0 : available;
}
