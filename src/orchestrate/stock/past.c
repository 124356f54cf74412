#include "orchestrate/stock/past.h"

#include "base/mem.h"

static struct stock_past *past_with_room(struct stock_place *p)
{
	struct stock_past *past = p->past;
	uint32_t room = past ? past->room : 0;

	if (past && past->count < room)
		return past;
	room = room ? room * 2 : 1;
	past = mem_grow(past, sizeof(*past) + room * sizeof(past->list[0]));
	if (!p->past)
		*past = (struct stock_past){0};
	past->room = room;
	p->past = past;
	return past;
}

static void drop(struct stock_past *past, uint32_t at)
{
	memmove(&past->list[at], &past->list[at + 1], (--past->count - at) * sizeof(past->list[0]));
}

void past_change(struct stock_place *p, int64_t occurred_at, qty_t delta)
{
	struct stock_past *past = p->past;

	if (past && occurred_at <= past->counted_at)
		return;
	if (past && past->count == STOCK_RECENTS) {
		if (past->list[0].occurred_at > past->forgotten)
			past->forgotten = past->list[0].occurred_at;
		drop(past, 0);
	}
	past = past_with_room(p);
	past->list[past->count++] = (struct stock_recent){occurred_at, delta};
}

void past_counted(struct stock_place *p, int64_t instant, int64_t movement)
{
	struct stock_past *past = past_with_room(p);

	past->counted_at = instant;
	past->counted_by = movement;
	for (uint32_t i = 0; i < past->count;)
		if (past->list[i].occurred_at <= instant)
			drop(past, i);
		else
			i++;
}

qty_t past_on_hand(const struct stock_place *p, int64_t instant, bool *known)
{
	qty_t on_hand = stock_on_hand(p);

	for (uint32_t i = 0; p->past && i < p->past->count; i++)
		if (p->past->list[i].occurred_at > instant)
			on_hand -= p->past->list[i].delta;
	if (p->past && p->past->forgotten > instant)
		*known = false;
	return on_hand;
}

void past_write(struct buf *out, const struct stock_place *p)
{
	const struct stock_past *past = p->past;

	buf_printf(out, " %lld %lld %lld", (long long)past->counted_at, (long long)past->counted_by,
		   (long long)past->forgotten);
	for (uint32_t i = 0; i < past->count; i++)
		buf_printf(out, " %lld %lld", (long long)past->list[i].occurred_at, (long long)past->list[i].delta);
}

bool past_read(struct stock_place *p, const int64_t *numbers, size_t count)
{
	struct stock_past *past;

	if (count < 3 || count % 2 == 0 || count > 3 + 2 * STOCK_RECENTS)
		return false;
	past = past_with_room(p);
	past->counted_at = numbers[0];
	past->counted_by = numbers[1];
	past->forgotten = numbers[2];
	for (size_t i = 3; i < count; i += 2) {
		past = past_with_room(p);
		past->list[past->count++] = (struct stock_recent){numbers[i], numbers[i + 1]};
	}
	return true;
}
