/*
 * The secrets of a configuration folder: a small map of names to texts, encrypted in DIR/secrets.enc.
 *
 * The key is CROSSDOCK_SECRET_KEY (base64 of 32 bytes) or, without it, DIR/secret.key (mode 0600, made by the first
 * set). Changes replace the file as a whole (written beside, synced, renamed); whoever opens for change holds a lock on
 * the folder.
 */
#ifndef HUB_CONFIG_SECRETS_H
#define HUB_CONFIG_SECRETS_H

#include "base/rc.h"
#include "base/str.h"

#include <stdbool.h>

#define SECRETS_MAX       1000
#define SECRET_NAME_MAX   64
#define SECRET_VALUE_MAX  65536
#define SECRETS_BYTES_MAX (8u << 20)

struct config_secrets;

/* A folder without secrets is an empty map. RC_INVALID "secrets_unreadable", "secret_key_invalid"; RC_IO. */
enum rc config_secrets_open(const char *folder, bool change, struct config_secrets **out, struct err *e) MUST_CHECK;
/* Wipes the memory. NULL is fine. */
void config_secrets_close(struct config_secrets *s);

/* false: there is none of that name. The value lives as long as s. */
bool config_secrets_get(const struct config_secrets *s, struct str name, struct str *value);
size_t config_secrets_count(const struct config_secrets *s);
struct str config_secrets_name(const struct config_secrets *s, size_t i); /* sorted */

/* The folder's key, made if there is none yet. */
struct secretbox_key;
enum rc config_secrets_key(const char *folder, struct secretbox_key *out, struct err *e) MUST_CHECK;

/* Letters, digits, '_', '-', '.'. */
bool config_secret_name_ok(struct str name);
/* Both are durable when they return RC_OK. RC_INVALID "secret_name_invalid", "secret_value_invalid"; RC_LIMIT;
 * RC_NOT_FOUND "secret_not_found". */
enum rc config_secrets_set(struct config_secrets *s, struct str name, struct str value, struct err *e) MUST_CHECK;
enum rc config_secrets_remove(struct config_secrets *s, struct str name, struct err *e) MUST_CHECK;

#endif
