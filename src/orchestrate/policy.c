#include "orchestrate/policy.h"

const struct config_location *config_find_location(const struct config_tenant *t, struct str name)
{
	for (size_t i = 0; i < t->location_count; i++)
		if (str_eq(t->locations[i].name, name))
			return &t->locations[i];
	return NULL;
}
