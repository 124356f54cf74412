/*
 * What RateLimit fields of an answer say: how long nothing should be sent. Pure.
 *
 * Read are the IETF draft's (draft-ietf-httpapi-ratelimit-headers: `RateLimit: "default";r=0;t=30`, several policies
 * with commas), its older form (`RateLimit: limit=100, remaining=0, reset=30`) and the single fields of before
 * (RateLimit-Remaining, RateLimit-Reset in seconds). What cannot be read says nothing.
 */
#ifndef CONNECT_RATELIMIT_H
#define CONNECT_RATELIMIT_H

#include "connect/transport/transport.h"

/* Milliseconds until there is something left again; 0: there is, or it is not said. Most restrictive of several. */
int64_t ratelimit_wait_ms(const struct http_answer *a);

#endif
