#include "processes.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TREE_MAX 4096

struct process {
	pid_t pid, parent;
	int64_t ticks;
	bool ours;
};

static bool read_file(const char *path, char *out, size_t room)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	size_t n = fread(out, 1, room - 1, f);
	fclose(f);
	out[n] = '\0';
	return n > 0;
}

/* proc(5): after "pid (name) state" come ppid as field 4 and utime stime cutime cstime as 14 to 17. */
static bool read_process(pid_t pid, struct process *p)
{
	char path[64], text[1024];
	int parent;
	long long user, kernel, child_user, child_kernel;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!read_file(path, text, sizeof(text)))
		return false;
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld", &parent, &user,
			    &kernel, &child_user, &child_kernel) != 5)
		return false;
	*p = (struct process){.pid = pid, .parent = parent, .ticks = user + kernel + child_user + child_kernel};
	return true;
}

static size_t read_all(struct process *all)
{
	size_t count = 0;
	DIR *d = opendir("/proc");
	if (!d)
		return 0;
	for (struct dirent *e; count < TREE_MAX && (e = readdir(d)) != NULL;)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    read_process((pid_t)strtol(e->d_name, NULL, 10), &all[count]))
			count++;
	closedir(d);
	return count;
}

static bool is_root(const struct processes *p, pid_t pid)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->roots[i] == pid)
			return true;
	return false;
}

static bool parent_is_ours(const struct process *all, size_t count, pid_t parent)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].pid == parent)
			return all[i].ours;
	return false;
}

static int64_t memory_line(pid_t pid, const char *file, const char *name)
{
	char path[64], text[4096];
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	const char *line = read_file(path, text, sizeof(text)) ? strstr(text, name) : NULL;
	return line ? strtoll(line + strlen(name), NULL, 10) * 1024 : 0;
}

struct processes_use processes_look(const struct processes *p, int with_memory)
{
	static _Thread_local struct process all[TREE_MAX];
	struct processes_use use = {0};
	size_t count = read_all(all);
	int64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
	bool again = true;
	for (size_t i = 0; i < count; i++)
		all[i].ours = is_root(p, all[i].pid);
	while (again) {
		again = false;
		for (size_t i = 0; i < count; i++)
			if (!all[i].ours && parent_is_ours(all, count, all[i].parent))
				again = all[i].ours = true;
	}
	for (size_t i = 0; i < count; i++) {
		if (!all[i].ours)
			continue;
		use.found++;
		use.cpu_ns += all[i].ticks * tick_ns;
		if (with_memory) {
			int64_t share = memory_line(all[i].pid, "smaps_rollup", "\nPss:");
			use.memory += share ? share : memory_line(all[i].pid, "status", "\nVmRSS:");
		}
	}
	return use;
}
