/* The console's files, read once and served from memory. */
#ifndef EDGE_CONSOLE_H
#define EDGE_CONSOLE_H

#include "base/rc.h"

struct console;
/* The files below share/console (or its dist/); NULL if no console has been built. Files past a bound are left out,
 * with a warning. */
struct console *console_load(const char *share);
void console_free(struct console *c);

#endif
