#include "hub/state.h"

void hub_system_set_crowded(struct hub *h, uint32_t system, bool crowded)
{
	if (!system_is_subscription(system))
		atomic_store_explicit(&h->crowded[system], crowded, memory_order_relaxed);
}

bool hub_system_crowded(const struct hub *h, uint32_t system)
{
	return !system_is_subscription(system) && atomic_load_explicit(&h->crowded[system], memory_order_relaxed);
}

const struct config_system *hub_full_erp(const struct hub *h)
{
	for (size_t i = 0; i < h->tenant->system_count; i++) {
		const struct config_system *s = &h->tenant->systems[i];

		if ((s->roles & ROLE_ERP) && s->delivery.backlog.refuse && hub_system_crowded(h, s->index))
			return s;
	}
	return NULL;
}
