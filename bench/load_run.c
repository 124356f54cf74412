/*
 * Closed loop: a connection sends its next request when the last was answered. Open loop: request k is due at
 * start + k / rate whatever the server does; it goes out on the first connection that is free, and its time counts from
 * when it was due, so that a stall is seen by all requests that it delays and not only by those that were under way.
 *
 * After the last due request nothing new is begun, and what is open may still be answered for DRAIN_NS, so that
 * what was acknowledged is known exactly. A connection that breaks is opened again; its request counts as unanswered.
 */
#include "load_run.h"

#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_NS   30000000000
#define IN_ROOM    (1 << 20)
#define EVENTS_MAX 256
#define BROKEN_MAX 10000

struct connection {
	int fd;
	bool busy, waits_for_room;
	char *out;
	size_t out_n, out_room, out_at;
	char *in;
	size_t in_n;
	int64_t due_ns;
	uint64_t number;
	struct connection *next_idle;
};

struct run {
	const struct load_options *o;
	struct load_result *r;
	int epoll;
	struct connection *connections, *idle;
	unsigned open;
	uint64_t issued;
	int64_t begin_ns, measure_ns, end_ns; /* warm-up from begin, measured from measure to end */
	int64_t last_answer_ns;
	double cpu_before, own_before;
	bool ended;
	_Atomic int sampling;
};

/* ---- connections ---- */

static void connection_open(struct run *r, struct connection *c)
{
	int one = 1;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&r->o->to, sizeof(r->o->to)) != 0)
		err(1, "connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		err(1, "epoll_ctl");
	c->in_n = c->out_n = c->out_at = 0;
	c->waits_for_room = false;
}

static void connection_watch(struct run *r, struct connection *c, bool room)
{
	if (c->waits_for_room == room)
		return;
	struct epoll_event e = {.events = room ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
	if (epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
		err(1, "epoll_ctl");
	c->waits_for_room = room;
}

static void connection_idle(struct run *r, struct connection *c)
{
	c->busy = false;
	c->next_idle = r->idle;
	r->idle = c;
}

/* An answer that asks for it closes a connection without a failure. */
static void connection_reopen(struct run *r, struct connection *c, bool failed)
{
	if (failed && ++r->r->broken > BROKEN_MAX)
		errx(1, "too many broken connections");
	close(c->fd);
	connection_open(r, c);
	if (!c->busy)
		return;
	r->r->unanswered++;
	r->open--;
	connection_idle(r, c);
}

static void connection_write(struct run *r, struct connection *c)
{
	while (c->out_at < c->out_n) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			connection_watch(r, c, true);
			return;
		}
		if (n < 0)
			return; /* reading tells what happened */
		c->out_at += (size_t)n;
	}
	connection_watch(r, c, false);
}

/* ---- requests ---- */

static void request_write(struct run *r, struct connection *c, const struct load_body *b)
{
	size_t room = strlen(r->o->head) + 32 + b->n;
	if (room > c->out_room) {
		c->out = realloc(c->out, room);
		c->out_room = room;
		if (!c->out)
			err(1, "memory");
	}
	int n = snprintf(c->out, room, "%s%zu\r\n\r\n", r->o->head, b->n);
	memcpy(c->out + n, b->p, b->n);
	c->out_n = (size_t)n + b->n;
	c->out_at = 0;
	if (b->id < b->n) {
		char id[32];
		(void)snprintf(id, sizeof(id), "-b%.4s%08u", r->o->tag, (unsigned)(c->number % 100000000));
		memcpy(c->out + n + b->id, id, sizeof(MARKS_PLACEHOLDER) - 1);
	}
}

static void request_begin(struct run *r, int64_t due_ns, int64_t now)
{
	struct connection *c = r->idle;
	r->idle = c->next_idle;
	c->busy = true;
	c->due_ns = due_ns;
	c->number = r->issued++;
	if (r->open++ == 0)
		r->last_answer_ns = now;
	r->r->sent++;
	request_write(r, c, &r->o->bodies[c->number % r->o->body_count]);
	connection_write(r, c);
}

static bool measured(const struct run *r, int64_t at)
{
	return at >= r->measure_ns && at < r->end_ns;
}

static void request_answered(struct run *r, struct connection *c, int status, int64_t now)
{
	bool good = status >= 200 && status < 300;
	r->r->statuses[status]++;
	r->r->acknowledged += good;
	if (measured(r, now)) {
		r->r->measured++;
		if (now - r->last_answer_ns > r->r->stall_ns)
			r->r->stall_ns = now - r->last_answer_ns;
	}
	/* Open loop: what was due in the measured time counts, however late its answer is. */
	if (measured(r, r->o->rate > 0 ? c->due_ns : now)) {
		histogram_add(&r->r->times, now - c->due_ns);
		if (r->o->marks && good && c->number < MARKS_MAX)
			r->o->marks[c->number].due_ns = c->due_ns;
	}
	r->last_answer_ns = now;
	r->open--;
}

/* ---- answers ---- */

static const char *field(const char *head, const char *end, const char *name)
{
	size_t n = strlen(name);
	for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2)
		if (strncasecmp(line, name, n) == 0)
			return line + n + strspn(line + n, " ");
	return NULL;
}

/* Whole answer: its status, *n its bytes. 0: not yet, -1: not an answer. */
static int answer_read(const struct connection *c, size_t *n, bool *closes)
{
	char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
	if (!end)
		return c->in_n < IN_ROOM - 1 ? 0 : -1;
	const char *length = field(c->in, end, "content-length:"), *connection = field(c->in, end, "connection:");
	int status = c->in_n > 12 && memcmp(c->in, "HTTP/1.", 7) == 0 ? (int)strtol(c->in + 9, NULL, 10) : 0;
	if (!length || status < 200 || status >= LOAD_STATUSES)
		return -1;
	*n = (size_t)(end + 4 - c->in) + strtoul(length, NULL, 10);
	*closes = connection && strncasecmp(connection, "close", 5) == 0;
	if (*n > IN_ROOM - 1)
		return -1;
	return c->in_n >= *n ? status : 0;
}

static void note_refusal(struct run *r, const struct connection *c, int status)
{
	if ((status < 200 || status >= 300) && !r->r->first_refusal[0])
		(void)snprintf(r->r->first_refusal, sizeof(r->r->first_refusal), "%s", c->in);
}

static void connection_read(struct run *r, struct connection *c)
{
	size_t n = 0;
	bool closes = false;
	ssize_t got = recv(c->fd, c->in + c->in_n, IN_ROOM - 1 - c->in_n, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		connection_reopen(r, c, c->busy);
		return;
	}
	c->in_n += (size_t)got;
	c->in[c->in_n] = '\0';
	int status = answer_read(c, &n, &closes);
	if (status == 0)
		return;
	if (status < 0 || !c->busy || n != c->in_n) {
		connection_reopen(r, c, true);
		return;
	}
	note_refusal(r, c, status);
	request_answered(r, c, status, marks_now());
	c->in_n = 0;
	connection_idle(r, c);
	if (closes)
		connection_reopen(r, c, false);
}

/* ---- the run ---- */

/* When the next request is due; INT64_MAX: none any more. */
static int64_t next_due(const struct run *r, int64_t now)
{
	if (r->o->once)
		return r->issued < r->o->body_count ? now : INT64_MAX;
	int64_t due = r->o->rate > 0 ? r->begin_ns + (int64_t)((double)r->issued * 1e9 / r->o->rate) : now;
	return due < r->end_ns ? due : INT64_MAX;
}

static void begin_due(struct run *r)
{
	int64_t now = marks_now(), due;
	while (r->idle && (due = next_due(r, now)) <= now)
		request_begin(r, due, now);
}

static struct timespec until(const struct run *r, int64_t now)
{
	int64_t due = r->idle ? next_due(r, now) : INT64_MAX, most = now + 100000000;
	int64_t left = (due < most ? due : most) - now;
	left = left > 0 ? left : 0;
	return (struct timespec){left / 1000000000, left % 1000000000};
}

static int64_t own_cpu_ns(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
	       (int64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static void sleep_until(struct run *r, int64_t at)
{
	int64_t now;
	while ((now = marks_now()) < at && atomic_load(&r->sampling)) {
		int64_t left = at - now < 50000000 ? at - now : 50000000;
		nanosleep(&(struct timespec){0, left}, NULL);
	}
}

/* The processor time of the watched processes between both ends of the measured time. */
static void *sample(void *ctx)
{
	struct run *r = ctx;
	struct load_result *out = r->r;
	sleep_until(r, r->measure_ns);
	int64_t before = processes_look(&r->o->watched, 0).cpu_ns, own = own_cpu_ns();
	sleep_until(r, r->end_ns);
	out->cpu_ns = processes_look(&r->o->watched, 0).cpu_ns - before;
	out->own_cpu_ns = own_cpu_ns() - own;
	return NULL;
}

static bool finished(const struct run *r)
{
	int64_t now = marks_now();
	if (next_due(r, now) != INT64_MAX)
		return !r->o->once && now > r->end_ns + DRAIN_NS;
	return r->open == 0 || now > r->end_ns + DRAIN_NS;
}

static void loop(struct run *r)
{
	struct epoll_event events[EVENTS_MAX];
	while (!finished(r)) {
		begin_due(r);
		struct timespec wait = until(r, marks_now());
		int count = epoll_pwait2(r->epoll, events, EVENTS_MAX, &wait, NULL);
		if (count < 0 && errno != EINTR)
			err(1, "epoll");
		for (int i = 0; i < count; i++) {
			struct connection *c = events[i].data.ptr;
			if (events[i].events & EPOLLOUT)
				connection_write(r, c);
			if (events[i].events & ~(uint32_t)EPOLLOUT)
				connection_read(r, c);
		}
	}
}

static void times(struct run *r)
{
	r->begin_ns = marks_now();
	r->measure_ns = r->begin_ns + (int64_t)(r->o->warm_up_s * 1e9);
	r->end_ns = r->measure_ns + (int64_t)(r->o->seconds * 1e9);
	r->r->measured_s = r->o->seconds;
}

void load_run(const struct load_options *o, struct load_result *result)
{
	struct run r = {.o = o, .r = result, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	pthread_t sampler;
	r.connections = calloc(o->connections, sizeof(*r.connections));
	if (!r.connections || r.epoll < 0)
		err(1, "connections");
	for (unsigned i = 0; i < o->connections; i++) {
		struct connection *c = &r.connections[i];
		c->in = malloc(IN_ROOM);
		if (!c->in)
			err(1, "memory");
		connection_open(&r, c);
		connection_idle(&r, c);
	}
	times(&r);
	atomic_init(&r.sampling, 1);
	bool samples = o->watched.count > 0 && pthread_create(&sampler, NULL, sample, &r) == 0;
	loop(&r);
	atomic_store(&r.sampling, 0);
	if (samples)
		pthread_join(sampler, NULL);
	/* Only now: the kernel walks all their pages, which is work and holds up whoever maps memory. */
	result->memory = processes_look(&o->watched, 1).memory;
	result->unanswered += r.open;
	result->number = r.issued;
	for (unsigned i = 0; i < o->connections; i++) {
		close(r.connections[i].fd);
		free(r.connections[i].in);
		free(r.connections[i].out);
	}
	free(r.connections);
	close(r.epoll);
}
