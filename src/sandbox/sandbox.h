/*
 * The sandbox: small systems that speak the canonical connector, each with an HTTP server of its own, and one thread
 * that sends their messages to the hub (POST {hub}/in/{tenant}/{system}/{type}) until the hub has taken them.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/clock.h"
#include "sandbox/kinds.h"

#define SANDBOX_SYSTEMS_MAX 32

struct sandbox;

struct sandbox_options {
	const struct clock *clock;
	const struct system_watch *watch; /* of all its systems, or NULL */
};

struct sandbox *sandbox_new(const struct sandbox_options *o);
/* Stops the servers and the sender and frees the systems. */
void sandbox_free(struct sandbox *b);

/* Takes the system over, also on failure. port 0: any that is free. Before sandbox_start. */
enum rc sandbox_serve(struct sandbox *b, struct system *s, uint16_t port, struct err *e) MUST_CHECK;
uint16_t sandbox_port(const struct sandbox *b, const char *name); /* 0: no such system */
size_t sandbox_count(const struct sandbox *b);
struct system *sandbox_find(const struct sandbox *b, const char *name);
/* Starts the thread that sends and gives late answers. hub: "http://127.0.0.1:8080"; key: a bearer key of the tenant.
 */
enum rc sandbox_start(struct sandbox *b, const char *hub, const char *tenant, const char *key,
		      struct err *e) MUST_CHECK;
/* No system has anything to send. */
bool sandbox_idle(const struct sandbox *b);

#endif
