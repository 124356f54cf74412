/*
 * Which network addresses somebody from outside may make us connect to: none of those that lead into our own network or
 * machine. By the registries of special-purpose addresses (RFC 6890, IANA), with IPv4 inside IPv6 (mapped, NAT64, 6to4,
 * Teredo) judged as what it leads to.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* IPv6; IPv4 as ::ffff:a.b.c.d. */
struct address {
	unsigned char bytes[16];
};

struct address_range {
	struct address first;
	unsigned bits; /* of 128 */
};

/* What is allowed besides public addresses. */
struct address_policy {
	bool all_private;
	const struct address_range *ranges;
	size_t range_count;
};

struct sockaddr;
/* false: neither IPv4 nor IPv6. */
bool address_of(const struct sockaddr *a, struct address *out);
/* An address as a URL's host may say it, in every notation that a resolver understands: "127.1", "0x7f000001",
 * "017700000001", "[::1]". false: it is a name. */
bool address_parse(struct str host, struct address *out);
/* "10.0.0.0/8", "fd00::/8". */
bool address_range_parse(struct str text, struct address_range *out);
bool address_is_public(const struct address *a);
/* Multicast, unspecified and broadcast are never allowed; link-local (the clouds' metadata services) only by a range
 * that names it. */
bool address_allowed(const struct address_policy *p, const struct address *a);

#endif
