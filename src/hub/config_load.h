/* The loader's own parts; inside config*.c only. Every problem becomes a finding and loading goes on. */
#ifndef HUB_CONFIG_LOAD_H
#define HUB_CONFIG_LOAD_H

#include "base/map.h"
#include "hub/config.h"
#include "hub/config_secrets.h"

struct config_loader {
	struct config *config;
	struct arena *arena; /* of the configuration */
	struct findings *findings;
	const char *file; /* crossdock.yaml, for findings */
	const char *share;
	struct map packs; /* struct pack by connector name; one reference each */
	struct config_secrets *secrets;
	struct err secrets_error;
	bool secrets_tried;
};

/* One finding at a place in crossdock.yaml: "FILE#POINTER" and the line. at may be NULL. */
void config_finding(struct config_loader *l, const struct json *at, const char *pointer, const char *code,
		    const char *format, ...) PRINTF_LIKE(5, 6);
/* The same for findings of a validation: pointers are moved below prefix. hide: without their details. */
void config_findings_append(struct config_loader *l, const struct json *at, const char *prefix,
			    const struct findings *from, bool hide);

enum config_references { REFERENCES_ENV, REFERENCES_SECRET };
/* The value with its ${env:NAME} or ${secret:NAME} replaced; the value itself where there are none. *changed may be
 * NULL. */
const struct json *config_resolve(struct config_loader *l, const struct json *value, const char *pointer,
				  enum config_references which, bool *changed);
bool config_has_reference(struct str text);

/* Readers of single values: what is absent or of a wrong type (the schema has said so) leaves *out as it is. */
void config_read_u32(const struct json *object, const char *name, uint32_t *out);
void config_read_duration(const struct json *object, const char *name, int64_t *ms);
void config_read_qty(struct config_loader *l, const struct json *object, const char *pointer, const char *name,
		     qty_t *out);

/* The pack of a connector, loaded once; NULL with a finding. */
struct pack *config_pack(struct config_loader *l, const struct json *at, const char *pointer, struct str connector);
void config_read_tenant(struct config_loader *l, struct str name, const struct json *value, struct config_tenant *t);

/* config_delivery.c: over what *d has. */
void config_read_delivery(struct config_loader *l, const struct json *delivery, const char *pointer,
			  struct config_delivery *d);
/* By operation: the pack's policies, with what the tenant and then the system say. Either may be NULL. */
const struct operation_policy *config_read_operations(struct config_loader *l, const struct pack *p,
						      const struct json *tenant, const struct json *system,
						      const char *pointer);

void config_read_reconcile(struct config_loader *l, const char *tenant_pointer, const struct json *value,
			   struct config_tenant *t);

#endif
