/*
 * The reaper: deadlines of our own. The library's idle time-out starts again with every byte, so a client that sends
 * one a second holds its connection for ever; and what is suspended has no time-out at all and does not notice a lost
 * client.
 *
 * It only shuts sockets down: the library's thread sees the end of the stream and closes. A socket in the list is open,
 * as a connection leaves the list, under the lock, before the library closes it.
 */
#include "edge/server_internal.h"

#include <sys/socket.h>
#include <time.h>

#define TICK_MAX_MS 1000
#define TICK_MIN_MS 10

static int64_t limit_of(const struct server_limits *l, enum phase phase)
{
	switch (phase) {
	case PHASE_IDLE:
		return l->idle_ms;
	case PHASE_READING:
	case PHASE_SENDING:
		return l->request_ms;
	case PHASE_PENDING:
		return l->answer_ms;
	case PHASE_RUNNING:
	case PHASE_STREAM:
		return 0;
	}
	return 0;
}

static void look_at(struct server *s, struct connection *c, int64_t now_ns)
{
	enum phase phase = (enum phase)atomic_load(&c->phase);
	if (phase == PHASE_STREAM) {
		stream_poll(c);
		return;
	}
	int64_t limit = limit_of(&s->options.limits, phase);
	if (limit == 0 || now_ns - atomic_load(&c->since_ns) < limit * 1000000)
		return;
	if (phase == PHASE_PENDING)
		connection_give_up(c);
	else
		shutdown(c->fd, SHUT_RDWR);
}

static int64_t tick_ms(const struct server_limits *l)
{
	int64_t tick = TICK_MAX_MS;
	if (l->request_ms / 4 < tick)
		tick = l->request_ms / 4;
	if (l->idle_ms / 4 < tick)
		tick = l->idle_ms / 4;
	if (l->answer_ms && l->answer_ms / 4 < tick)
		tick = l->answer_ms / 4;
	return tick < TICK_MIN_MS ? TICK_MIN_MS : tick;
}

void *reaper_run(void *server)
{
	struct server *s = server;
	int64_t tick = tick_ms(&s->options.limits);
	pthread_mutex_lock(&s->lock);
	while (!s->quitting) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += tick * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&s->change, &s->lock, &until);
		int64_t now = clock_mono_ns(s->options.clock);
		for (struct connection *c = s->connections; c; c = c->next)
			look_at(s, c, now);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
