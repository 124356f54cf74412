#include "backbone/event_types.h"

#include <stddef.h>
#include <string.h>

static const char *const types[] = {
#define EVENT(type) type,
#include "backbone/event_types.def"
#undef EVENT
};

bool event_type_known(const char *type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}
