/*
 * A PostgreSQL server whose sessions end when a test wants it: between two commits, before one, or after it, so that
 * its answer is lost. What fails is real (the server ends the session); only the moment is chosen.
 *
 * One at a time in a process, on the thread of the writer.
 */
#ifndef STORE_POSTGRES_FAULT_SERVER_H
#define STORE_POSTGRES_FAULT_SERVER_H

#include "store/store.h"

struct fault_server;

/* url: of a role that may end its sessions and drop the schema. */
enum rc fault_server_open(const char *url, const char *schema, struct fault_server **out, struct err *e) MUST_CHECK;
void fault_server_close(struct fault_server *f);
const char *fault_server_url(const struct fault_server *f); /* for store_open */
const char *fault_server_schema(const struct fault_server *f);
enum rc fault_server_drop(struct fault_server *f, struct err *e) MUST_CHECK; /* the schema, with all that is in it */
/* The commits of this store go by the plan. */
void fault_server_watch(struct fault_server *f, struct store *store);
uint64_t fault_server_commits(const struct fault_server *f); /* that were tried */

/* Ends all sessions of the store now. */
enum rc fault_server_cut(struct fault_server *f, struct err *e) MUST_CHECK;
/* Ends them at the nth commit from now, before it or when it has worked. 0: never. */
void fault_server_plan(struct fault_server *f, int nth, bool after);
uint64_t
fault_server_fired(const struct fault_server *f); /* commits at which that happened, since the schema was dropped */
/* The nth commit from now is said to have worked, and is not made: to see that somebody notices. 0: none. */
void fault_server_lie(struct fault_server *f, int nth);
bool fault_server_lied(const struct fault_server *f);

#endif
