#include "connect/destination.h"

const char *destination_state_name(enum destination_state s)
{
	switch (s) {
	case DESTINATION_RUNNING:
		return "running";
	case DESTINATION_BACKING_OFF:
		return "backing_off";
	case DESTINATION_STOPPED:
		return "stopped";
	}
	return "invalid";
}

int64_t retry_delay_ms(const struct retry_policy *p, uint32_t attempts, uint64_t random)
{
	int64_t delay = p->base_ms > 0 ? p->base_ms : 1;
	for (uint32_t i = 1; i < attempts && delay < p->max_ms; i++)
		delay *= 2;
	if (p->max_ms > 0 && delay > p->max_ms)
		delay = p->max_ms;
	return delay / 2 + (int64_t)(random % (uint64_t)(delay + 1));
}

static int64_t throttle_ms(const struct retry_policy *p, int64_t retry_after_ms)
{
	if (retry_after_ms <= 0)
		return p->base_ms;
	return retry_after_ms < DESTINATION_RETRY_AFTER_MAX ? retry_after_ms : DESTINATION_RETRY_AFTER_MAX;
}

static void enter(struct destination_health *d, enum destination_state state, int64_t now)
{
	if (d->state != state)
		d->since = now;
	d->state = state;
}

static void failed(struct destination_health *d, const struct retry_policy *p, const struct destination_answer *a,
		   int64_t now, uint64_t random)
{
	if (d->state == DESTINATION_STOPPED) {
		d->blocked_until = now + DESTINATION_PROBE_MS;
		return;
	}
	if (a->status) {
		if (a->seq != d->streak_seq)
			d->streak++;
		d->streak_seq = a->seq;
		if (d->streak < DESTINATION_STREAK && d->state == DESTINATION_RUNNING)
			return;
	}
	/* Those that were under way when it began to fail are the same failure. */
	if (d->state == DESTINATION_BACKING_OFF && a->started_at < d->since)
		return;
	enter(d, DESTINATION_BACKING_OFF, now);
	destination_begin_slowly(d);
	d->failures++;
	d->blocked_until = now + retry_delay_ms(p, d->failures, random);
}

static void climb(struct destination_health *d, uint32_t slots)
{
	if (!d->ramp || --d->ramp_left)
		return;
	d->ramp = 2 * d->ramp < slots ? 2 * d->ramp : 0;
	d->ramp_left = d->ramp;
}

static bool succeeded(struct destination_health *d, uint32_t slots, int64_t now)
{
	bool back = d->state != DESTINATION_RUNNING;
	if (!back)
		climb(d, slots);
	enter(d, DESTINATION_RUNNING, now);
	d->failures = d->streak = 0;
	d->streak_seq = 0;
	if (back)
		d->blocked_until = 0;
	return back;
}

void destination_begin_slowly(struct destination_health *d)
{
	d->ramp = d->ramp_left = 1;
}

void destination_restore(struct destination_health *d, enum destination_state state, int64_t now)
{
	enter(d, state, now - 1); /* what goes now went after it */
	destination_begin_slowly(d);
	d->failures = state == DESTINATION_BACKING_OFF;
}

void destination_hold(struct destination_health *d, int64_t until)
{
	if (until > d->blocked_until)
		d->blocked_until = until;
}

static void throttled(struct destination_health *d, int64_t until, uint32_t slots)
{
	uint32_t now = destination_slots(d, slots);
	destination_hold(d, until);
	d->ramp = d->ramp_left = now > 1 ? now / 2 : 1;
}

bool destination_note(struct destination_health *d, const struct retry_policy *p, const struct destination_answer *a,
		      uint32_t slots, int64_t now, uint64_t random)
{
	switch (a->outcome) {
	case OUTCOME_DELIVERED:
	case OUTCOME_REFUSED:
	case OUTCOME_CONFIGURATION:
		/* What was under way when the credentials were refused says nothing about them now. */
		return d->state == DESTINATION_STOPPED && a->started_at <= d->since ? false : succeeded(d, slots, now);
	case OUTCOME_THROTTLED:
		/* 429 and 503 speak for the whole destination; a 409 "in progress" for one delivery only. */
		if (a->status == 429 || a->status == 503)
			throttled(d, now + throttle_ms(p, a->retry_after_ms), slots);
		return false;
	case OUTCOME_UNAUTHORIZED:
		enter(d, DESTINATION_STOPPED, now);
		d->ramp = d->ramp_left = 1;
		d->blocked_until = now + DESTINATION_PROBE_MS;
		return false;
	case OUTCOME_TECHNICAL:
	case OUTCOME_UNKNOWN:
		failed(d, p, a, now, random);
		return false;
	case OUTCOMES:
		break;
	}
	return false;
}

uint32_t destination_slots(const struct destination_health *d, uint32_t slots)
{
	return d->ramp && d->ramp < slots ? d->ramp : slots;
}

uint32_t destination_room(const struct destination_health *d, uint32_t slots, uint32_t ahead, uint32_t unfinished,
			  int64_t now)
{
	if (now < d->blocked_until)
		return 0;
	if (d->state != DESTINATION_RUNNING)
		return unfinished ? 0 : 1;
	slots = destination_slots(d, slots);
	uint32_t pipeline = slots * DESTINATION_PIPELINE, most = slots * DESTINATION_AHEAD;
	uint32_t left = unfinished < pipeline ? pipeline - unfinished : 0;
	uint32_t more = ahead < most ? most - ahead : 0;
	return more < left ? more : left;
}

uint32_t destination_open(const struct destination_health *d, uint32_t slots, uint32_t transfers, int64_t now)
{
	if (now < d->blocked_until)
		return 0;
	if (d->state != DESTINATION_RUNNING)
		return transfers ? 0 : 1;
	slots = destination_slots(d, slots);
	return transfers < slots ? slots - transfers : 0;
}

/* 0: there is none left. */
static int64_t technical_at(const struct retry_policy *p, uint32_t attempts, int64_t now, uint64_t random)
{
	if (!p->delay_count)
		return now + retry_delay_ms(p, attempts, random);
	if (attempts < 1 || attempts > p->delay_count)
		return 0;
	int64_t delay = p->delays[attempts - 1];
	return now + delay - delay / 10 + (int64_t)(random % (uint64_t)(delay / 5 + 1));
}

int64_t retry_at(const struct retry_policy *p, enum outcome outcome, uint32_t attempts, int64_t retry_after_ms,
		 int64_t age_ms, int64_t now, uint64_t random)
{
	int64_t at = 0;
	switch (outcome) {
	case OUTCOME_DELIVERED:
	case OUTCOME_REFUSED:
	case OUTCOME_CONFIGURATION:
	case OUTCOMES:
		return 0;
	case OUTCOME_UNAUTHORIZED: /* the destination is stopped, not the delivery: it waits for as long as that takes
				    */
		return now + DESTINATION_PROBE_MS;
	case OUTCOME_THROTTLED:
		at = now + throttle_ms(p, retry_after_ms);
		break;
	case OUTCOME_TECHNICAL:
		at = technical_at(p, attempts, now, random);
		break;
	case OUTCOME_UNKNOWN: /* the first look-up */
		at = now + (p->base_ms > 0 ? p->base_ms : 1);
		break;
	}
	return age_ms >= p->give_up_after_ms ? 0 : at;
}
