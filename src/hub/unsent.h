/*
 * Which deliveries the store knows as being sent although nothing of them has left: the delivery engine commits some
 * ahead (connect/gate.c). Readers show them as waiting. The engine says so before it asks for the commit, and takes it
 * back before the first byte leaves. Any thread.
 *
 * Cancelling one and sending it exclude each other here: the writer claims it, or the engine has taken it out before.
 * What is claimed is not sent, whatever becomes of the commit; the engine takes it back.
 */
#ifndef HUB_UNSENT_H
#define HUB_UNSENT_H

#include <stdbool.h>
#include <stdint.h>

struct unsent;

struct unsent *unsent_new(void);
void unsent_free(struct unsent *u);             /* NULL is fine */
void unsent_add(struct unsent *u, int64_t seq); /* seq: not 0 */
/* Need not be there. false: it was claimed. */
bool unsent_remove(struct unsent *u, int64_t seq);
bool unsent_claim(struct unsent *u, int64_t seq); /* false: it is not there, or was claimed before */
bool unsent_has(struct unsent *u, int64_t seq);

#endif
