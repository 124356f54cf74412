/*
 * The command line: verbs are rows of a table (cli.c), one file each. Exit codes: 0 done, 1 failed, 2 usage.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/arena.h"
#include "hub/config.h"

#include <stdbool.h>
#include <stdio.h>

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_verb {
	const char *name;
	const char *summary;               /* one line */
	int (*run)(int argc, char **argv); /* argv[0] is the verb */
	const char *usage;                 /* what --help prints */
};

extern const struct cli_verb cli_verbs[]; /* ends with a NULL name */

/* argv[0] is the program. Returns the exit code. */
int cli_main(int argc, char **argv);

/* "--name TEXT" or "--name=TEXT" where text is set, else the flag "--name". */
struct cli_option {
	const char *name; /* without the dashes */
	const char **text;
	bool *flag;
};

#define CLI_POSITIONAL_MAX 64
struct cli_args {
	const char *positional[CLI_POSITIONAL_MAX];
	size_t count;
};

/* Takes options and positional arguments in any order, "--" ends the options. At most max positional ones. false: a
 * message was printed; the verb returns CLI_USAGE. options ends with a NULL name. */
bool cli_parse(int argc, char **argv, const struct cli_option *options, size_t max, struct cli_args *out);
/* Prints "crossdock VERB: message" and where help is; returns CLI_USAGE. */
int cli_usage(const char *verb, const char *format, ...) PRINTF_LIKE(2, 3);
/* Prints "crossdock: detail (where)"; returns CLI_FAILED. */
int cli_fail(const struct err *e);

/* Loads the configuration, or prints its findings and returns NULL. */
struct config *cli_config(const char *folder);
/* One finding a line: "FILE:LINE: detail [code] POINTER". */
void cli_print_findings(FILE *out, const struct findings *f);
/* The findings as the value of a JSON array. */
struct json_writer;
void cli_write_findings(struct json_writer *w, const struct findings *f);
/* Prints the buffer and a line feed to stdout. CLI_DONE, or CLI_FAILED if it cannot be written. */
int cli_print(const struct buf *text);

int cli_init(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_key(int argc, char **argv);
int cli_secret(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_help(int argc, char **argv);
int cli_sandbox(int argc, char **argv);
int cli_simulate(int argc, char **argv);
int cli_flash_sale(int argc, char **argv); /* argv[0] is "flash-sale" */
int cli_demo(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_dead_letters(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_reconcile(int argc, char **argv);

#endif
