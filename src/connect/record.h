/*
 * What is kept of an attempt for a person to read: request and answer as text, capped, cleaned, without secrets.
 *
 * Of headers only those are shown whose values are public; of bodies, every value of the system's settings that could
 * be a secret, its secret and its bearer token are replaced by "***". Bytes that are not UTF-8, and NUL, become U+FFFD.
 */
#ifndef CONNECT_RECORD_H
#define CONNECT_RECORD_H

#include "base/arena.h"
#include "connect/transport/http.h"
#include "hub/config.h"

#define RECORD_BYTES_MAX  8192 /* of a request, of an answer */
#define RECORD_TEXT_MAX   1024 /* of a detail */
#define RECORD_SECRET_MIN 8    /* settings values from this length are masked */

/* Cleaned, and cut to max bytes on a character's boundary ("..." behind it). {NULL,0} if the arena is full. */
struct str record_text(struct arena *a, struct str raw, size_t max);
/* The same, with the system's secrets masked. */
struct str record_masked(struct arena *a, const struct config_system *s, struct str raw, size_t max);
struct str record_request(struct arena *a, const struct config_system *s, const struct http_request *r);
struct str record_answer(struct arena *a, const struct config_system *s, const struct http_answer *answer);
/* As the attempt's row holds it (base/compress.h). */
struct str record_packed(struct arena *a, struct str text);

#endif
