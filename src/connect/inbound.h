/*
 * Mediation of what systems send in their own formats: an acknowledged message becomes commands, in inbox order per
 * source.
 *
 * A message that cannot be used becomes a dead letter; none is ever dropped: what does not fit into memory stays in the
 * inbox and is read again.
 */
#ifndef CONNECT_INBOUND_H
#define CONNECT_INBOUND_H

#include "hub/node.h"

#define INBOUND_STREAM_BYTES_MAX (16u << 20) /* of messages in memory: of one hub on one worker */
#define INBOUND_BYTES_MAX        (64u << 20) /* on one worker */
#define INBOUND_COMMANDS_MAX     256         /* of one stream with the hub */

struct inbound_engine;
struct inbound_hub;

enum rc inbound_start(struct node *n, struct inbound_engine **out, struct err *e) MUST_CHECK;
/* Ends after the messages that are being mediated; the writers must still run. What is left is in the inbox. */
void inbound_stop(struct inbound_engine *in);
/* Stopped, and the writers have ended. NULL is fine. */
void inbound_free(struct inbound_engine *in);

/* For the message sink: takes the message over; any thread, does not block. */
struct inbound_hub *inbound_hub_of(struct inbound_engine *in, size_t tenant);
void inbound_message(struct inbound_hub *h, struct message *m);

#endif
