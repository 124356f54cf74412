/* What became of an inbound message or command (promise 6), and why it is kept. Stored as numbers: never renumber. */
#ifndef BACKBONE_INBOX_H
#define BACKBONE_INBOX_H

#include <stdint.h>

enum fate {
	FATE_PENDING = 0, /* acknowledged, not yet mediated */
	FATE_APPLIED = 1,
	FATE_DUPLICATE = 2,
	FATE_STALE = 3,     /* older than what was applied */
	FATE_NOT_OWNED = 4, /* its sender is not the record for it: kept for reconciliation */
	FATE_REJECTED = 5,  /* with a business reason */
	FATE_DEAD = 6,      /* dead letter */
};

const char *fate_name(enum fate f);

#endif
