/* Replay of all open dead letters that a filter fits. params: {"filter":{system,class,from,to},"through": the last one
 * there was}; the position is the last one that was looked at. */
#include "hub/state.h"

#include "hub/query_repair.h"

struct slice {
	struct hub *h;
	struct job *j;
	struct dead_letter_filter filter;
	uint32_t rows;
};

static enum rc replay_one(void *ctx, const struct store_value *row, size_t count)
{
	struct slice *s = ctx;
	struct err e = ERR_NONE;

	(void)count;
	s->rows++;
	s->j->position = row[0].integer;
	if (!dead_letter_fits(&s->filter, row))
		return RC_OK;
	if (dead_letter_replay(s->h, s->h->batch.txn.arena, row, s->j->id, &e) == RC_OK)
		s->j->done++;
	else
		s->j->failed++;
	return RC_OK;
}

enum rc job_step_dead_letters(struct hub *h, struct job *j, uint32_t max, bool *finished, struct err *e)
{
	struct slice s = {.h = h, .j = j};
	int64_t through = 0;
	struct query_rows rows;
	struct query q = {.hub = h, .reader = h->reader, .arena = h->batch.txn.arena};
	enum rc rc = dead_letter_filter_read(json_get(j->params, "filter"), &s.filter, e);

	if (rc != RC_OK)
		return rc;
	json_int(json_get(j->params, "through"), &through);
	const struct store_value args[] = {SV_INT(j->position), SV_INT(through), SV_INT(max)};
	rc = query_all(&q, R_DEAD_LETTERS_OPEN, args, 3, &rows, e);
	for (size_t i = 0; rc == RC_OK && i < rows.count; i++)
		rc = replay_one(&s, query_row(&rows, i), rows.columns);
	*finished = s.rows < max;
	return rc;
}
