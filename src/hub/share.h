/*
 * The shared folder: schemas/, connectors/ and console/ as shipped. Looked for in this order: CROSSDOCK_SHARE; beside
 * the program, ../share/crossdock (installed) and share; then upwards from the program to a folder that has both
 * schemas/ and connectors/ (a build inside the source tree).
 */
#ifndef HUB_SHARE_H
#define HUB_SHARE_H

#include "base/arena.h"

/* RC_NOT_FOUND "share_not_found". The path is absolute unless CROSSDOCK_SHARE is not. */
enum rc share_find(struct arena *a, const char **out, struct err *e) MUST_CHECK;
/* The same for a program in the folder `program`, with no regard to the environment. */
enum rc share_find_from(const char *program, struct arena *a, const char **out, struct err *e) MUST_CHECK;

#endif
