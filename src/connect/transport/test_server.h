/*
 * A small HTTP server for tests: real sockets on 127.0.0.1, one thread a connection, kept alive. What it does with a
 * request is the test's function, called under the server's lock.
 */
#ifndef CONNECT_TRANSPORT_TEST_SERVER_H
#define CONNECT_TRANSPORT_TEST_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEST_REQUEST_MAX (1u << 20)
#define TEST_CONNECTIONS 256

struct test_request {
	char head[16384]; /* request line and headers, NUL-terminated */
	char *body;
	size_t body_n;
	int connection; /* 1, 2 ... */
};

struct test_answer {
	int status;          /* 0: close without an answer; -1: say nothing and keep the connection open */
	const char *headers; /* each ending with \r\n, or NULL */
	const char *body;
	size_t body_n;
	size_t body_sent; /* less than body_n: then closes */
	bool cut;         /* body_sent counts */
};

struct test_server {
	int listener, port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int sockets[TEST_CONNECTIONS];
	pthread_t threads[TEST_CONNECTIONS];
	int connections, requests;
	bool stopping;
	struct test_answer (*answer)(void *ctx, const struct test_request *r);
	void *ctx;
};

struct test_connection {
	struct test_server *server;
	int socket, number;
};

static inline bool test_header(const struct test_request *r, const char *name, char *out, size_t room)
{
	size_t n = strlen(name);
	for (const char *line = r->head; line; line = strstr(line, "\r\n")) {
		line += strncmp(line, "\r\n", 2) == 0 ? 2 : 0;
		if (strncasecmp(line, name, n) != 0 || line[n] != ':')
			continue;
		const char *value = line + n + 1 + (line[n + 1] == ' ');
		const char *end = strstr(value, "\r\n");
		size_t length = end ? (size_t)(end - value) : strlen(value);
		assert(length < room);
		memcpy(out, value, length);
		out[length] = '\0';
		return true;
	}
	return false;
}

static inline bool test_read_request(int fd, struct test_request *r)
{
	size_t n = 0;
	char *end = NULL;
	while (!end) {
		ssize_t got = n + 1 < sizeof(r->head) ? read(fd, r->head + n, sizeof(r->head) - 1 - n) : 0;
		if (got <= 0)
			return false;
		n += (size_t)got;
		r->head[n] = '\0';
		end = strstr(r->head, "\r\n\r\n");
	}
	char length[32];
	size_t have = n - (size_t)(end + 4 - r->head);
	*end = '\0';
	r->body_n = test_header(r, "Content-Length", length, sizeof(length)) ? strtoul(length, NULL, 10) : 0;
	assert(r->body_n <= TEST_REQUEST_MAX && have <= r->body_n);
	r->body = malloc(r->body_n + 1);
	memcpy(r->body, end + 4, have);
	while (have < r->body_n) {
		ssize_t got = read(fd, r->body + have, r->body_n - have);
		if (got <= 0) {
			free(r->body);
			return false;
		}
		have += (size_t)got;
	}
	r->body[r->body_n] = '\0';
	return true;
}

static inline void test_send(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		p += sent;
		n -= (size_t)sent;
	}
}

static inline void *test_connection_main(void *arg)
{
	struct test_connection *c = arg;
	struct test_server *s = c->server;
	struct test_request *r = calloc(1, sizeof(*r));
	r->connection = c->number;
	while (test_read_request(c->socket, r)) {
		pthread_mutex_lock(&s->lock);
		s->requests++;
		struct test_answer a = s->answer(s->ctx, r);
		pthread_cond_broadcast(&s->changed);
		while (a.status < 0 && !s->stopping)
			pthread_cond_wait(&s->changed, &s->lock);
		pthread_mutex_unlock(&s->lock);
		free(r->body);
		if (a.status <= 0)
			break;
		char head[1024];
		int n = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", a.status,
				 a.body_n, a.headers ? a.headers : "");
		test_send(c->socket, head, (size_t)n);
		test_send(c->socket, a.body, a.cut ? a.body_sent : a.body_n);
		if (a.cut)
			break;
	}
	free(r);
	shutdown(c->socket, SHUT_RDWR);
	free(c);
	return NULL;
}

static inline void *test_server_main(void *arg)
{
	struct test_server *s = arg;
	for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0;) {
		struct test_connection *c = malloc(sizeof(*c));
		pthread_mutex_lock(&s->lock);
		assert(s->connections < TEST_CONNECTIONS);
		*c = (struct test_connection){s, fd, s->connections + 1};
		s->sockets[s->connections] = fd;
		int failed = pthread_create(&s->threads[s->connections++], NULL, test_connection_main, c);
		assert(!failed);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

/* A bound, listening socket; *port is its port. */
static inline int test_listen(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int failed =
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 128) || getsockname(fd, (struct sockaddr *)&a, &n);
	assert(!failed);
	*port = ntohs(a.sin_port);
	return fd;
}

static inline void test_server_start(struct test_server *s,
				     struct test_answer (*answer)(void *, const struct test_request *), void *ctx)
{
	memset(s, 0, sizeof(*s));
	s->answer = answer;
	s->ctx = ctx;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->listener = test_listen(&s->port);
	int failed = pthread_create(&s->thread, NULL, test_server_main, s);
	assert(!failed);
}

static inline void test_server_stop(struct test_server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (int i = 0; i < s->connections; i++) {
		shutdown(s->sockets[i], SHUT_RDWR);
		pthread_join(s->threads[i], NULL);
		close(s->sockets[i]);
	}
}

#endif
