#include "orchestrate/policy.h"

const struct config_location *config_find_location(const struct config_tenant *t, struct str name)
{
	for (size_t i = 0; i < t->location_count; i++)
		if (str_eq(t->locations[i].name, name))
			return &t->locations[i];
	return NULL;
}

uint8_t config_consignor(const struct config_tenant *t, struct str owner)
{
	if (!owner.n)
		return CONSIGNOR_NONE;
	for (size_t i = 0; i < t->owner_count; i++)
		if (str_eq(t->owners[i], owner))
			return (uint8_t)(i + 1);
	return CONSIGNOR_ANY;
}
