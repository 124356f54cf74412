#include "backbone/inbox.h"

const char *fate_name(enum fate f)
{
	switch (f) {
	case FATE_PENDING:
		return "pending";
	case FATE_APPLIED:
		return "applied";
	case FATE_DUPLICATE:
		return "duplicate";
	case FATE_STALE:
		return "stale";
	case FATE_NOT_OWNED:
		return "not_owned";
	case FATE_REJECTED:
		return "rejected";
	case FATE_DEAD:
		return "dead_letter";
	}
	return "invalid";
}
