#include "hub/state.h"

#include "base/compress.h"
#include "base/mem.h"

#define MESSAGE_ARENA_MAX (64u << 20)

struct message *message_new(int64_t seq, int64_t at, struct str source, struct str endpoint, struct str correlation_id,
			    struct str headers, struct str payload)
{
	struct message *m = mem_zalloc(1, sizeof(*m));
	struct err e = ERR_NONE;

	arena_init(&m->arena, MESSAGE_ARENA_MAX);
	m->seq = seq;
	m->at = at;
	m->source = arena_copy(&m->arena, source);
	m->endpoint = arena_copy(&m->arena, endpoint);
	m->correlation_id = arena_copy(&m->arena, correlation_id);
	m->headers = arena_copy(&m->arena, headers);
	if (decompress(&m->arena, payload, MESSAGE_ARENA_MAX, &m->payload, &e) == RC_OK)
		return m;
	message_free(m);
	return NULL;
}

void message_free(struct message *m)
{
	if (!m)
		return;
	arena_done(&m->arena);
	free(m);
}
