/* The types of events. What subscribers may rely on; api/asyncapi.yaml describes each. */
#ifndef BACKBONE_EVENT_TYPES_H
#define BACKBONE_EVENT_TYPES_H

#include <stdbool.h>

bool event_type_known(const char *type);

#endif
