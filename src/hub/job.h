/*
 * Jobs: long work in slices, durable, with progress. One row each; running ones are in memory.
 *
 * There are two sorts. A kind with a step is done by the writer itself: after the commands of a batch each running job
 * takes one small slice, at most every JOB_PAUSE_MS, and its position is committed together with what the slice did. So
 * it goes on after a restart where it was, and does nothing twice. A kind without a step is driven from outside, by
 * COMMAND_JOB_PROGRESS; when the process starts, one that is still running has lost its driver and is failed as
 * "interrupted".
 *
 * Jobs begin with COMMAND_JOB_START or job_start and end with COMMAND_JOB_CANCEL, or by themselves. Events:
 * job.started, job.finished (status done, failed or cancelled).
 */
#ifndef HUB_JOB_H
#define HUB_JOB_H

#include "hub/command.h"

#define JOB_PAUSE_MS    20
#define JOB_RUNNING_MAX 100 /* of a tenant; then 503 too_many_jobs */

/* Stored as numbers: never renumber. Final from 90. */
enum job_status { JOB_RUNNING = 0, JOB_DONE = 90, JOB_FAILED = 91, JOB_CANCELLED = 92 };
const char *job_status_name(enum job_status s);

struct hub;
struct txn;

struct job {
	struct job *next;
	const struct job_kind *kind;
	int64_t seq;
	struct str id, source, correlation_id;
	struct str params_text;
	const struct json *params;
	enum job_status status;
	int64_t position; /* the kind's own: where the next slice begins */
	int64_t done, failed, total;
	int64_t due;
	struct newest *newest; /* of a system's replay, or NULL */
	struct str error;      /* of a failed one, and what else is to be said at the end */
	struct arena arena;
};

struct job_kind {
	const char *name;
	/* One slice in the open batch, at most max things; moves position, done and failed. *finished: there is no
	 * more. Not RC_OK: the job has failed, e says why; RC_RETRY: not now. NULL: driven from outside. */
	enum rc (*step)(struct hub *h, struct job *j, uint32_t max, bool *finished, struct err *e);
	uint32_t slice;
};

/* The table of kinds is in job.c. */
const struct job_kind *job_kind_find(struct str name); /* or NULL */

/* In the open batch. params: JSON object. NULL: too many are running. The job lives until it has ended. */
struct job *job_start(struct hub *h, const struct job_kind *kind, struct str params, int64_t total);
/* Ends one in the open batch. error: may be empty. */
void job_end(struct hub *h, struct job *j, enum job_status status, struct str error);
struct job *job_find(struct hub *h, struct str id); /* a running one, or NULL */

/* The hub's: after the commands of a batch; when it wants to be called again; loading. */
void job_run(struct hub *h);
int64_t job_next(const struct hub *h);
enum rc job_load(struct hub *h, struct err *e) MUST_CHECK;
void job_interrupted(struct hub *h); /* once, in the first batch of a process */
void job_free_all(struct hub *h);

void apply_job_start(struct hub *h, struct command *c);
void apply_job_progress(struct hub *h, struct command *c);
void apply_job_cancel(struct hub *h, struct command *c);

/* job_dead_letters.c, job_replay.c */
enum rc job_step_dead_letters(struct hub *h, struct job *j, uint32_t max, bool *finished, struct err *e);
enum rc job_step_replay(struct hub *h, struct job *j, uint32_t max, bool *finished, struct err *e);

#endif
