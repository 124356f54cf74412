#include "base/secretbox.h"
#include "cli/cli.h"
#include "format/json.h"
#include "hub/config_secrets.h"

#include <termios.h>
#include <unistd.h>

/* All of stdin, or one line of the terminal with its echo off; without the line feed at the end. */
static bool read_value(char *out, size_t room, size_t *n)
{
	struct termios before, silent;
	bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	ssize_t got;

	if (terminal) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
		fputs("Value: ", stderr);
	}
	*n = 0;
	while (*n < room && (got = read(STDIN_FILENO, out + *n, room - *n)) > 0) {
		*n += (size_t)got;
		if (terminal && out[*n - 1] == '\n')
			break;
	}
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	bool whole = *n < room;
	if (*n && out[*n - 1] == '\n')
		--*n;
	return whole;
}

static int secret_set(const char *dir, const char *name)
{
	static char value[SECRET_VALUE_MAX + 2];
	struct config_secrets *s = NULL;
	struct err e = ERR_NONE;
	size_t n;

	if (!read_value(value, sizeof(value), &n)) {
		fprintf(stderr, "crossdock: a secret may have %d bytes.\n", SECRET_VALUE_MAX);
		secret_wipe(value, sizeof(value));
		return CLI_FAILED;
	}
	enum rc rc = config_secrets_open(dir, true, &s, &e);
	if (rc == RC_OK)
		rc = config_secrets_set(s, str_from(name), (struct str){value, n}, &e);
	secret_wipe(value, sizeof(value));
	config_secrets_close(s);
	return rc == RC_OK ? CLI_DONE : cli_fail(&e);
}

static int secret_remove(const char *dir, const char *name)
{
	struct config_secrets *s = NULL;
	struct err e = ERR_NONE;

	enum rc rc = config_secrets_open(dir, true, &s, &e);
	if (rc == RC_OK)
		rc = config_secrets_remove(s, str_from(name), &e);
	config_secrets_close(s);
	return rc == RC_OK ? CLI_DONE : cli_fail(&e);
}

static int secret_list(const char *dir, bool json)
{
	struct config_secrets *s = NULL;
	struct err e = ERR_NONE;
	struct json_writer w;
	struct buf out;
	int code = CLI_DONE;

	if (config_secrets_open(dir, false, &s, &e) != RC_OK)
		return cli_fail(&e);
	buf_init(&out, 1u << 20);
	jw_init(&w, &out);
	jw_object(&w);
	jw_key(&w, "items");
	jw_array(&w);
	for (size_t i = 0; i < config_secrets_count(s); i++) {
		struct str name = config_secrets_name(s, i);
		if (!json)
			printf(STR_FMT "\n", STR_ARG(name));
		jw_object(&w);
		jw_key_text(&w, "name", name);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	if (json)
		code = cli_print(&out);
	buf_done(&out);
	config_secrets_close(s);
	return code;
}

int cli_secret(int argc, char **argv)
{
	const char *dir = ".";
	bool json = false;
	struct cli_args args;

	if (!cli_parse(argc, argv, (const struct cli_option[]){{"dir", &dir, NULL}, {"json", NULL, &json}, {0}}, 2,
		       &args))
		return CLI_USAGE;
	const char *verb = args.count ? args.positional[0] : "", *name = args.count > 1 ? args.positional[1] : NULL;
	if (strcmp(verb, "list") == 0 && !name)
		return secret_list(dir, json);
	if (strcmp(verb, "set") == 0 && name)
		return secret_set(dir, name);
	if (strcmp(verb, "remove") == 0 && name)
		return secret_remove(dir, name);
	return cli_usage(argv[0], "one of: set NAME, list, remove NAME");
}
