/*
 * Who is asking: Authorization: Bearer cd_<tenant>_<secret> (RFC 6750), answered from a bounded cache in front of the
 * tenant's store. A key that was revoked is refused within AUTH_FRESH_MS.
 */
#ifndef EDGE_AUTH_H
#define EDGE_AUTH_H

#include "edge/readers.h"
#include "hub/node.h"

#include <stdbool.h>
#include <stdint.h>

#define AUTH_FRESH_MS   5000 /* a good key is looked up again after this time */
#define AUTH_REFUSED_MS 1000 /* a bad one */
#define AUTH_TEXT_MAX   128  /* of a key's id and of its system's name */

enum scope {
#define SCOPE(id, name, what) id##_BIT,
#include "edge/scopes.def"
#undef SCOPE
	SCOPES
};
enum {
#define SCOPE(id, name, what) id = 1 << id##_BIT,
#include "edge/scopes.def"
#undef SCOPE
};
const char *scope_name(enum scope s);
/* Names with blanks or commas between them, as they are stored; unknown ones count for nothing. */
unsigned scopes_parse(struct str text);

/* cd_<tenant>_<secret>: the secret is 43 letters and digits behind the last '_'. */
bool auth_key_parse(struct str key, struct str *tenant, struct str *secret);
/* The key of an Authorization header; false if its scheme is not Bearer. */
bool auth_bearer(struct str header, struct str *key);

struct principal {
	struct hub *hub; /* of the tenant */
	unsigned scopes;
	char id[AUTH_TEXT_MAX + 1];
	char system[AUTH_TEXT_MAX + 1]; /* "": not bound */
};

struct auth_rate {
	uint32_t limit; /* per second; 0: none */
	uint32_t left;
	uint32_t wait_s; /* when limited: come again */
};

struct auth;
struct auth *auth_new(struct node *node, struct readers *readers, uint32_t requests_per_s);
void auth_free(struct auth *a);
/*
 * Any thread. RC_OK; RC_DENIED "unauthorized" or "key_revoked"; RC_LIMIT "rate_limited" (rate says more); RC_RETRY
 * "store_unavailable".
 */
enum rc auth_check(struct auth *a, struct str key, struct principal *out, struct auth_rate *rate,
		   struct err *e) MUST_CHECK;

#endif
