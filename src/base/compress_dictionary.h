/* The dictionaries of base/compress.c. Number n, which each frame carries, is at n - 1. */
#ifndef BASE_COMPRESS_DICTIONARY_H
#define BASE_COMPRESS_DICTIONARY_H

#include "base/str.h"

#define COMPRESS_DICTIONARIES 1

struct compress_dictionary {
	struct str head, text; /* one behind the other they are the dictionary */
};

extern const struct compress_dictionary compress_dictionaries[COMPRESS_DICTIONARIES];

#endif
