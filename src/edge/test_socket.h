/* For *_test.c only: a conversation over a connected socket, byte by byte. */
#ifndef EDGE_TEST_SOCKET_H
#define EDGE_TEST_SOCKET_H

#include "base/test.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static inline void say(int fd, const char *text)
{
	size_t n = strlen(text);
	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Reads one byte at a time, so that the next answer stays in the socket. false: closed before `until` was seen. */
static inline bool hear_until(int fd, char *out, size_t room, const char *until)
{
	size_t n = 0, m = strlen(until);
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, 20000), 1);
		if (recv(fd, out + n, 1, 0) != 1)
			return false;
		out[++n] = '\0';
		if (n >= m && memcmp(out + n - m, until, m) == 0)
			return true;
		assert_true(n + 1 < room);
	}
}

#endif
