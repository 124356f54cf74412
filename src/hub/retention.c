/* What is old enough is forgotten, a slice at a time, in the batches that come by anyway: attempts of deliveries. */
#include "hub/state.h"

#define SLICE    200
#define AGAIN_MS 100 /* after a full slice */
#define IDLE_MS  60000

struct old {
	int64_t before, through;
	size_t count;
};

static enum rc note_old(void *ctx, const struct store_value *c, size_t count)
{
	struct old *o = ctx;

	(void)count;
	if (c[1].integer >= o->before)
		return RC_LIMIT;
	o->through = c[0].integer;
	o->count++;
	return RC_OK;
}

void retention_run(struct hub *h)
{
	struct txn *t = &h->batch.txn;
	struct old o = {.before = t->now - h->tenant->attempts_kept_ms};
	struct err e = ERR_NONE;

	if (t->now < h->forget_at || h->tenant->attempts_kept_ms <= 0)
		return;
	(void)!store_read(h->reader, R_ATTEMPTS_OLDEST, &SV_INT(SLICE), 1, note_old, &o, &e);
	h->forget_at = t->now + (o.count == SLICE ? AGAIN_MS : IDLE_MS);
	if (o.count > 0)
		txn_put(t, W_ATTEMPTS_FORGET, SV_INT(o.through));
}
