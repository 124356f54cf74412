#include "sandbox/hub_process.h"

#include "base/arena.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM    "/proc/self/exe"
#define START_MS   30000
#define STOP_POLLS 150 /* of POLL_MS */
#define POLL_MS    100

static enum rc failed(struct err *e, const char *where)
{
	return err_set_at(e, RC_IO, "cannot_prepare", where, "%s", strerror(errno));
}

enum rc hub_process_prepare(struct hub_process *h, const char *folder, const char *configuration, struct err *e)
{
	char path[600];
	const char *temp = getenv("TMPDIR");
	*h = (struct hub_process){.temporary = !folder};
	(void)snprintf(h->folder, sizeof(h->folder), "%s%s",
		       folder          ? folder
		       : temp && *temp ? temp
				       : "/tmp",
		       folder ? "" : "/crossdock-demo-XXXXXX");
	if (folder ? mkdir(h->folder, 0700) != 0 && errno != EEXIST : !mkdtemp(h->folder)) {
		h->temporary = false;
		return failed(e, h->folder);
	}
	(void)snprintf(path, sizeof(path), "%s/crossdock.yaml", h->folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(e, path);
	size_t n = strlen(configuration);
	bool good = write(fd, configuration, n) == (ssize_t)n;
	good = close(fd) == 0 && good;
	return good ? RC_OK : failed(e, path);
}

/* Between fork and exec: only what a signal handler may do. */
static void become(int output, int log, char *const argv[], pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	dup2(output, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	execv(PROGRAM, argv);
	_exit(127);
}

/* Runs the program; *output is what it prints. */
static enum rc run(struct hub_process *h, char *const argv[], pid_t *pid, int *output, struct err *e)
{
	char path[600];
	int ends[2];
	(void)snprintf(path, sizeof(path), "%s/serve.log", h->folder);
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0)
		return failed(e, path);
	if (pipe2(ends, O_CLOEXEC) != 0) {
		close(log);
		return failed(e, "pipe");
	}
	pid_t parent = getpid();
	*pid = fork();
	if (*pid == 0)
		become(ends[1], log, argv, parent);
	close(log);
	close(ends[1]);
	if (*pid < 0) {
		close(ends[0]);
		return failed(e, "fork");
	}
	*output = ends[0];
	return RC_OK;
}

/* Up to the end, or to the first line feed if line is true. */
static bool read_output(int fd, bool line, char *out, size_t room)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;
	while (n + 1 < room && poll(&p, 1, START_MS) > 0) {
		ssize_t got = read(fd, out + n, line ? 1 : room - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		if (line && out[n - 1] == '\n')
			break;
	}
	out[n] = '\0';
	return n > 0;
}

static enum rc make_key(struct hub_process *h, const char *tenant, struct err *e)
{
	char text[2048];
	char *argv[] = {"crossdock", "key",   "create",  "--tenant", (char *)tenant, "--scopes", "admin",
			"--json",    "--dir", h->folder, NULL};
	pid_t pid;
	int output, status = 0;
	enum rc rc = run(h, argv, &pid, &output, e);
	if (rc)
		return rc;
	read_output(output, false, text, sizeof(text));
	close(output);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	struct arena a;
	struct json *j = NULL;
	arena_init(&a, 1u << 20);
	bool good =
	    WIFEXITED(status) && WEXITSTATUS(status) == 0 && json_parse(&a, str_from(text), NULL, &j, NULL) == RC_OK;
	struct str key = json_get_text(j, "key");
	if (good && key.n > 0)
		(void)snprintf(h->key, sizeof(h->key), STR_FMT, STR_ARG(key));
	else
		rc = err_set_at(e, RC_IO, "no_key", h->folder, "'crossdock key create' failed; see serve.log there.");
	arena_done(&a);
	return rc;
}

enum rc hub_process_start(struct hub_process *h, const char *tenant, struct err *e)
{
	static const char announced[] = "listening on ";
	char line[sizeof(h->address) + sizeof(announced)];
	char *argv[] = {"crossdock", "serve", h->folder, NULL};
	int output;
	enum rc rc = make_key(h, tenant, e);
	if (rc == RC_OK)
		rc = run(h, argv, &h->pid, &output, e);
	if (rc)
		return rc;
	bool good =
	    read_output(output, true, line, sizeof(line)) && strncmp(line, announced, sizeof(announced) - 1) == 0;
	close(output);
	if (!good)
		return err_set_at(e, RC_IO, "hub_did_not_start", h->folder,
				  "'crossdock serve' failed; see serve.log there.");
	line[strcspn(line, "\n")] = '\0';
	memcpy(h->address, line + sizeof(announced) - 1, strlen(line) - sizeof(announced) + 2);
	return RC_OK;
}

bool hub_process_alive(struct hub_process *h)
{
	if (h->pid > 0 && waitpid(h->pid, NULL, WNOHANG) == h->pid)
		h->pid = 0;
	return h->pid > 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void hub_process_stop(struct hub_process *h)
{
	if (hub_process_alive(h))
		kill(h->pid, SIGTERM);
	for (int i = 0; i < STOP_POLLS && hub_process_alive(h); i++)
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	if (hub_process_alive(h)) {
		kill(h->pid, SIGKILL);
		waitpid(h->pid, NULL, 0);
		h->pid = 0;
	}
	if (h->temporary)
		nftw(h->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	h->temporary = false;
}
