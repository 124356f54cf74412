/*
 * A hub for the demo: the real program as a child process, with a configuration folder of its own. The child is in a
 * process group of its own (a ^C at the terminal does not reach it) and dies with the thread that started it.
 */
#ifndef SANDBOX_HUB_PROCESS_H
#define SANDBOX_HUB_PROCESS_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct hub_process {
	pid_t pid; /* 0: not running */
	char folder[512];
	char address[256]; /* "http://127.0.0.1:40123" */
	char key[256];     /* may do everything in the tenant */
	bool temporary;    /* the folder goes when it ends */
};

/* folder NULL: a temporary one. It is made, and must not hold a configuration yet. */
enum rc hub_process_prepare(struct hub_process *h, const char *folder, const char *configuration,
			    struct err *e) MUST_CHECK;
/* Makes a key for the tenant, starts the server (its log goes to FOLDER/serve.log) and waits until it listens. */
enum rc hub_process_start(struct hub_process *h, const char *tenant, struct err *e) MUST_CHECK;
bool hub_process_alive(struct hub_process *h);
/* Ends the child (at first politely) and removes the folder if it is temporary. May be called at any time. */
void hub_process_stop(struct hub_process *h);

#endif
