/*
 * Canonical objects that a system sent, as commands to the hub.
 */
#ifndef CONNECT_CANONICAL_H
#define CONNECT_CANONICAL_H

#include "hub/command.h"
#include "hub/config.h"

/* Where an object comes from. */
struct canonical_origin {
	const struct config_tenant *tenant;
	struct str source, correlation_id;
	int64_t message_seq;
	int item, items;
	/* For what names an order in its channel's words: finds its id. RC_NOT_FOUND: there is none. */
	enum rc (*find_order)(void *ctx, struct arena *a, struct str channel, struct str external_id,
			      struct str *order_id, struct err *e);
	void *ctx;
};

/*
 * The command for one valid object; it points into the object, which must stay as long as the command. An object that a
 * schema lets pass but the model does not becomes COMMAND_MESSAGE_DEAD. RC_RETRY: find_order said so. RC_LIMIT: too
 * large.
 */
enum rc canonical_command(const struct canonical_origin *o, struct str type, const struct json *document,
			  struct command **out, struct err *e) MUST_CHECK;
/* For an object, or a whole message, that cannot be used. document: what it is about, or NULL. */
struct command *canonical_dead(const struct canonical_origin *o, struct str reason, const struct json *document);
/* Notes which object a dead one is about, so that a later message about the same can close it. */
void canonical_name(struct command *c, const struct canonical_origin *o, struct str type, const struct json *document);
/* What is wrong with an object by the model, beyond its schema; nothing is done with it. */
enum rc canonical_check(const struct canonical_origin *o, struct str type, const struct json *document,
			struct findings *f) MUST_CHECK;
/* The findings in one text. */
struct str canonical_reason(struct arena *a, struct str type, const struct findings *f);

#endif
