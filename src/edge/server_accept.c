/*
 * The acceptor: takes new connections from the one listening socket and deals them to the library's threads in turn (it
 * picks by the socket's number). Left to themselves all threads wait on that socket, and whoever is idle takes a whole
 * burst: 64 connections opened at once were all served by one of two threads.
 *
 * When the process is out of descriptors it waits for some to come free; those who connect wait in the kernel's queue.
 */
#include "edge/server_internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_OF_DESCRIPTORS_MS 100

/* How long to wait before the next one: -1 until there is one. */
static int take(struct server *s)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int fd = accept4(s->listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? OUT_OF_DESCRIPTORS_MS
												 : -1;
	/* Over a limit the library closes it. */
	(void)MHD_add_connection(s->daemon, fd, (struct sockaddr *)&address, size);
	return -1;
}

static void *acceptor_run(void *ctx)
{
	struct server *s = ctx;
	int wait = -1;

	pthread_setname_np(pthread_self(), "acceptor");
	for (;;) {
		struct pollfd fds[] = {{.fd = s->accept_wake, .events = POLLIN},
				       {.fd = wait < 0 ? s->listen_fd : -1, .events = POLLIN}};

		if (poll(fds, 2, wait) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		if (wait >= 0)
			wait = -1;
		else if (fds[1].revents)
			wait = take(s);
	}
}

bool acceptor_start(struct server *s)
{
	s->accept_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->accept_wake < 0)
		return false;
	if (pthread_create(&s->acceptor, NULL, acceptor_run, s) == 0)
		return true;
	close(s->accept_wake);
	return false;
}

void acceptor_stop(struct server *s)
{
	uint64_t one = 1;

	while (write(s->accept_wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(s->acceptor, NULL);
	close(s->accept_wake);
	close(s->listen_fd);
}
