#include "hub/command.h"

#include "base/mem.h"

/* "crossdock/content", cut to its size */
const struct hash_key command_fingerprint_key = {
    {'c', 'r', 'o', 's', 's', 'd', 'o', 'c', 'k', '/', 'c', 'o', 'n', 't', 'e', 'n'}};

const char *command_type_name(enum command_type t)
{
	static const char *const names[COMMAND_TYPES] = {
	    [COMMAND_ORDER_CAPTURE] = "order",
	    [COMMAND_ORDER_CANCEL] = "order-cancel",
	    [COMMAND_STOCK_MOVE] = "stock-movement",
	    [COMMAND_SHIPMENT] = "shipment",
	    [COMMAND_HOLD] = "reservation",
	    [COMMAND_HOLD_COMMIT] = "reservation-commit",
	    [COMMAND_HOLD_VOID] = "reservation-void",
	    [COMMAND_RECORD] = "record",
	    [COMMAND_MESSAGE_ACCEPT] = "message",
	    [COMMAND_MESSAGE_DEAD] = "message-dead",
	    [COMMAND_DELIVERY_START] = "delivery-start",
	    [COMMAND_DELIVERY_RESULT] = "delivery-result",
	    [COMMAND_SYSTEM_PAUSE] = "system-pause",
	    [COMMAND_SYSTEM_RESUME] = "system-resume",
	    [COMMAND_SYSTEM_NOTE] = "system-note",
	    [COMMAND_SUBSCRIPTION_CREATE] = "subscription-create",
	    [COMMAND_SUBSCRIPTION_CHANGE] = "subscription-change",
	    [COMMAND_SUBSCRIPTION_DELETE] = "subscription-delete",
	    [COMMAND_SUBSCRIPTION_ROTATE] = "subscription-rotate",
	    [COMMAND_SUBSCRIPTION_REPLAY] = "subscription-replay",
	    [COMMAND_SUBSCRIPTION_TEST] = "subscription-test",
	    [COMMAND_RECONCILE_BEGIN] = "reconcile-begin",
	    [COMMAND_RECONCILE_DRIFT] = "reconcile-drift",
	    [COMMAND_RECONCILE_END] = "reconcile-end",
	    [COMMAND_RECONCILE_CANCEL] = "reconcile-cancel",
	    [COMMAND_DELIVERY_RUN] = "delivery-run",
	    [COMMAND_DELIVERY_CANCEL] = "delivery-cancel",
	    [COMMAND_DEAD_LETTER_EDIT] = "dead-letter-edit",
	    [COMMAND_DEAD_LETTER_REPLAY] = "dead-letter-replay",
	    [COMMAND_DEAD_LETTER_DISCARD] = "dead-letter-discard",
	    [COMMAND_EXCEPTION_ASSIGN] = "exception-assign",
	    [COMMAND_EXCEPTION_RESOLVE] = "exception-resolve",
	    [COMMAND_JOB_START] = "job-start",
	    [COMMAND_JOB_PROGRESS] = "job-progress",
	    [COMMAND_JOB_CANCEL] = "job-cancel",
	    [COMMAND_RING_FENCES] = "ring-fences",
	};

	return names[t];
}

struct command *command_new(enum command_type type)
{
	struct command *c = mem_zalloc(1, sizeof(*c));

	c->type = type;
	arena_init(&c->arena, COMMAND_ARENA_MAX);
	return c;
}

bool command_holds(struct command *c, size_t count, bool array)
{
	c->holds.items = arena_array(&c->arena, struct command_hold, count);
	c->holds.count = count;
	c->holds.array = array;
	return c->holds.items != NULL;
}

void command_free(struct command *c)
{
	if (!c)
		return;
	arena_done(&c->arena);
	free(c);
}
