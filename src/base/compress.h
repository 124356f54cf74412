/*
 * Payload compression: zstd frames (RFC 8878), level 1, with the raw size in the frame header, and the number of the
 * dictionary (compress_dictionary.h) that was used; frames without one are read too. Thread-safe: each thread keeps a
 * context of its own.
 */
#ifndef BASE_COMPRESS_H
#define BASE_COMPRESS_H

#include "base/arena.h"

/* Into the arena. RC_LIMIT when the arena is full. */
enum rc compress(struct arena *a, struct str raw, struct str *out) MUST_CHECK;
/* RC_LIMIT when the raw size is over max; RC_IO "payload_damaged" when it is not a frame, "payload_is_newer"
 * when its dictionary is not known here. NUL-terminated. */
enum rc decompress(struct arena *a, struct str packed, size_t max, struct str *out, struct err *e) MUST_CHECK;

/* UTF-8 text for a column of bytes: as it is if it is short or would not get shorter, else a frame. No text begins as a
 * frame does. RC_LIMIT when the arena is full. */
#define COMPRESS_TEXT_MIN 512
enum rc compress_text(struct arena *a, struct str text, struct str *out) MUST_CHECK;
/* As decompress; text that is not packed is given as it is, and need not be terminated. */
enum rc decompress_text(struct arena *a, struct str packed, size_t max, struct str *out, struct err *e) MUST_CHECK;

#endif
