/* What verbs that ask a running server share: its address and a key, questions, and how the answers are shown. */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/cli.h"
#include "format/json.h"
#include "sandbox/client.h"

struct remote {
	const char *url, *key; /* --url, --key; else CROSSDOCK_URL (http://127.0.0.1:8080), CROSSDOCK_KEY */
	bool json;
	struct client *client;
	struct arena arena; /* answers; whoever asks often resets it */
};

/* false: there is no key, a message was printed. */
bool remote_open(struct remote *r, const char *verb);
int remote_close(struct remote *r, int code); /* returns code */

/* body: NULL for a GET. The answer, in the arena, or NULL with a message. */
const struct json *remote_ask(struct remote *r, const char *path, const struct buf *body);
/* Prints it as one line. CLI_DONE, or CLI_FAILED. */
int remote_print(const struct json *j);
/* As a part of a path or a query. */
const char *remote_encoded(struct arena *a, const char *text);
int64_t remote_number(const struct json *j, const char *name); /* 0 if it is absent */
/* Draws over the line of stderr, which is a terminal. */
void remote_bar(int64_t done, int64_t total);

#endif
