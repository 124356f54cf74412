/*
 * Commands to the hubs. A hub that refuses one (its queue is full, or it does not commit) gets it again after
 * ENGINE_RESUBMIT_MS, in order. What waits there is bounded by the slots.
 */
#include "connect/engine.h"

#include "base/mem.h"

static void command_back(struct command *c, void *ctx)
{
	struct submission *s = ctx;
	(void)c;
	engine_post(s->hub->engine, &s->note);
}

struct submission *submission_new(struct delivery_hub *h, enum note_type type, struct command *c)
{
	struct submission *s = mem_zalloc(1, sizeof(*s));
	struct delivery_engine *d = h->engine;
	s->note.type = type;
	s->hub = h;
	s->command = c;
	s->all_next = d->submissions;
	s->all_back = &d->submissions;
	if (d->submissions)
		d->submissions->all_back = &s->all_next;
	d->submissions = s;
	return s;
}

void submission_free(struct submission *s)
{
	*s->all_back = s->all_next;
	if (s->all_next)
		s->all_next->all_back = s->all_back;
	command_free(s->command);
	free(s);
}

static bool try_submit(struct submission *s)
{
	struct delivery_engine *d = s->hub->engine;
	s->command->done = command_back;
	s->command->ctx = s;
	if (hub_submit(s->hub->hub, s->command) != RC_OK)
		return false;
	d->with_hub++;
	return true;
}

void submit(struct submission *s)
{
	struct delivery_hub *h = s->hub;
	s->next = NULL;
	if (!h->first && h->engine->now >= h->submit_at && try_submit(s))
		return;
	if (h->first)
		h->last->next = s;
	else
		h->first = s;
	h->last = s;
	if (h->submit_at <= h->engine->now)
		h->submit_at = h->engine->now + ENGINE_RESUBMIT_MS;
}

void submit_again(struct delivery_hub *h)
{
	if (!h->first || h->engine->now < h->submit_at)
		return;
	while (h->first) {
		struct submission *s = h->first, *next = s->next;
		if (!try_submit(s)) {
			h->submit_at = h->engine->now + ENGINE_RESUBMIT_MS;
			return;
		}
		h->first = next;
	}
	h->last = NULL;
}

struct submission *submit_prepare(struct engine_destination *t, const char *type, const struct buf *data)
{
	struct command *c = command_new(COMMAND_SYSTEM_NOTE);
	struct submission *s = submission_new(t->hub, NOTE_TOLD, c);
	c->target = t->system->name;
	c->note.type = type;
	if (data)
		c->note.data = arena_copy(&c->arena, buf_str(data));
	return s;
}

/* One that was not committed is said again. */
void submit_told(struct submission *s)
{
	struct delivery_engine *d = s->hub->engine;
	d->with_hub--;
	if (s->command->answer.status < 500 || d->ended) {
		submission_free(s);
		return;
	}
	s->hub->submit_at = d->now + ENGINE_AGAIN_MS;
	submit(s);
}
