/*
 * bench_load: sends bodies to an HTTP server and prints what came of it as a JSON object.
 *
 *   --to 127.0.0.1:PORT --path PATH --bodies FILE   one body a line; needed
 *   --header TEXT        one more field of each request
 *   --connections N      64
 *   --seconds S --warm-up S
 *   --rate N             requests a second, each due at its own time; without it: closed loop
 *   --once               each body once
 *   --tag TAG            4 characters that make the ids of this run its own
 *   --marks FILE         wait until all that was acknowledged has reached the sink, and print the lag
 *   --due FILE           only note in it when each was due
 *   --watch PID          measure this process and its descendants; may be repeated
 *
 * Exit code 0 unless it could not do its work; the caller judges the numbers.
 */
#include "load_run.h"

#include <arpa/inet.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRIVAL_NS 30000000000

struct arguments {
	const char *path, *header, *bodies, *marks, *due;
	struct load_options load;
};

static void read_address(const char *text, struct sockaddr_in *out)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		errx(2, "--to is HOST:PORT");
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	out->sin_family = AF_INET;
	out->sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &out->sin_addr) != 1)
		errx(2, "--to needs an IPv4 address");
}

static void watch(struct processes *p, const char *pid)
{
	if (p->count == PROCESSES_ROOTS_MAX)
		errx(2, "too many --watch");
	p->roots[p->count++] = (pid_t)strtol(pid, NULL, 10);
}

static void read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option names[] = {{"to", 1, NULL, 't'},          {"path", 1, NULL, 'p'},
					      {"header", 1, NULL, 'h'},      {"bodies", 1, NULL, 'b'},
					      {"connections", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'},
					      {"warm-up", 1, NULL, 'u'},     {"rate", 1, NULL, 'r'},
					      {"once", 0, NULL, 'o'},        {"tag", 1, NULL, 'g'},
					      {"marks", 1, NULL, 'm'},       {"watch", 1, NULL, 'w'},
					      {"due", 1, NULL, 'd'},         {NULL, 0, NULL, 0}};
	struct load_options *o = &a->load;
	*a = (struct arguments){.header = "X-Bench: 1", .load = {.connections = 64, .seconds = 10, .tag = "0000"}};
	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
		switch (c) {
		case 't':
			read_address(optarg, &o->to);
			break;
		case 'p':
			a->path = optarg;
			break;
		case 'h':
			a->header = optarg;
			break;
		case 'b':
			a->bodies = optarg;
			break;
		case 'c':
			o->connections = (unsigned)strtol(optarg, NULL, 10);
			break;
		case 's':
			o->seconds = strtod(optarg, NULL);
			break;
		case 'u':
			o->warm_up_s = strtod(optarg, NULL);
			break;
		case 'r':
			o->rate = strtod(optarg, NULL);
			break;
		case 'o':
			o->once = true;
			break;
		case 'g':
			o->tag = optarg;
			break;
		case 'm':
			a->marks = optarg;
			break;
		case 'd':
			a->due = optarg;
			break;
		case 'w':
			watch(&o->watched, optarg);
			break;
		default:
			exit(2);
		}
	if (!a->path || !a->bodies || !o->to.sin_port || strlen(o->tag) != MARKS_TAG || o->connections < 1 ||
	    o->connections > LOAD_CONNECTIONS_MAX)
		errx(2, "usage: bench_load --to HOST:PORT --path PATH --bodies FILE [...]; see load.c");
}

/* The text stays for the life of the process. */
static void read_bodies(const char *path, struct load_options *o)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0, have = 0;
	struct load_body *list = NULL;
	if (!f)
		err(1, "%s", path);
	for (ssize_t n; (n = getline(&line, &room, f)) > 0;) {
		n -= line[n - 1] == '\n';
		if (o->body_count == have)
			list = realloc(list, (have = have ? have * 2 : 1024) * sizeof(*list));
		char *copy = malloc((size_t)n + 1);
		if (!list || !copy)
			err(1, "memory");
		memcpy(copy, line, (size_t)n);
		const char *id = memmem(copy, (size_t)n, MARKS_PLACEHOLDER, sizeof(MARKS_PLACEHOLDER) - 1);
		list[o->body_count++] = (struct load_body){copy, (size_t)n, id ? (size_t)(id - copy) : (size_t)n};
	}
	free(line);
	fclose(f);
	if (!o->body_count)
		errx(1, "%s is empty", path);
	o->bodies = list;
}

static const char *write_head(const struct arguments *a)
{
	char *head;
	if (asprintf(&head,
		     "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%s\r\nContent-Length: ",
		     a->path, a->header) < 0)
		err(1, "memory");
	return head;
}

static uint64_t missing(const struct mark *marks, uint64_t count)
{
	uint64_t n = 0;
	for (uint64_t i = 0; i < count; i++)
		n += marks[i].due_ns != 0 && atomic_load(&marks[i].arrived_ns) == 0;
	return n;
}

static void print_times(const char *prefix, const struct histogram *h)
{
	static const struct {
		const char *name;
		double q;
	} wanted[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		printf("\"%s%s_us\": %.1f, ", prefix, wanted[i].name, (double)histogram_quantile(h, wanted[i].q) / 1e3);
	printf("\"%smax_us\": %.1f, ", prefix, (double)h->max / 1e3);
}

/* How long an order took from when it was due to the sink. */
static void print_lag(struct mark *marks, uint64_t count)
{
	static struct histogram lag;
	int64_t until = marks_now() + ARRIVAL_NS;
	count = count < MARKS_MAX ? count : MARKS_MAX;
	while (missing(marks, count) && marks_now() < until)
		nanosleep(&(struct timespec){0, 20000000}, NULL);
	for (uint64_t i = 0; i < count; i++)
		if (marks[i].due_ns && marks[i].arrived_ns)
			histogram_add(&lag, marks[i].arrived_ns - marks[i].due_ns);
	printf("\"arrived\": %llu, \"missing\": %llu, ", (unsigned long long)lag.count,
	       (unsigned long long)missing(marks, count));
	print_times("lag_", &lag);
}

static void print_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_result(const struct arguments *a, const struct load_result *r)
{
	double seconds = r->measured_s;
	printf("\"connections\": %u, \"wanted_rate\": %.1f, \"rate\": %.1f, ", a->load.connections, a->load.rate,
	       (double)r->measured / seconds);
	print_times("", &r->times);
	printf("\"stall_us\": %.1f, \"sent\": %llu, \"acknowledged\": %llu, \"unanswered\": %llu, \"broken\": %llu, ",
	       (double)r->stall_ns / 1e3, (unsigned long long)r->sent, (unsigned long long)r->acknowledged,
	       (unsigned long long)r->unanswered, (unsigned long long)r->broken);
	printf("\"cpu_us_per_request\": %.1f, \"cpu_cores\": %.2f, \"load_cores\": %.2f, \"memory_mb\": %.1f, ",
	       r->measured ? (double)r->cpu_ns / 1e3 / (double)r->measured : 0, (double)r->cpu_ns / 1e9 / seconds,
	       (double)r->own_cpu_ns / 1e9 / seconds, (double)r->memory / 1048576);
	printf("\"statuses\": {");
	bool any = false;
	for (int i = 0; i < LOAD_STATUSES; i++)
		if (r->statuses[i]) {
			printf("%s\"%d\": %llu", any ? ", " : "", i, (unsigned long long)r->statuses[i]);
			any = true;
		}
	printf("}, \"first_refusal\": ");
	print_text(r->first_refusal);
}

int main(int argc, char **argv)
{
	static struct load_result result;
	struct arguments a;
	read_arguments(argc, argv, &a);
	read_bodies(a.bodies, &a.load);
	a.load.head = write_head(&a);
	a.load.marks = a.marks ? marks_open(a.marks) : a.due ? marks_open(a.due) : NULL;
	load_run(&a.load, &result);
	printf("{");
	if (a.marks)
		print_lag(a.load.marks, result.number);
	print_result(&a, &result);
	printf("}\n");
	for (size_t i = 0; i < a.load.body_count; i++)
		free((char *)a.load.bodies[i].p);
	free((struct load_body *)a.load.bodies);
	free((char *)a.load.head);
	return 0;
}
