/* Replay, or discard if there is a reason, of all open dead letters that a filter fits. params:
 * {"filter":{system,class,operation,from,to},"reason"?,"through": the last one there was}; the position is the last
 * one that was looked at. */
#include "hub/state.h"

#include "hub/query_repair.h"

#define DEAD_LETTER_COLUMNS 19

struct slice {
	struct arena *arena;
	struct str *ids;
	int64_t *seqs;
	uint32_t count;
};

static enum rc note_id(void *ctx, const struct store_value *row, size_t count)
{
	struct slice *s = ctx;

	(void)count;
	s->seqs[s->count] = row[0].integer;
	s->ids[s->count++] = arena_copy(s->arena, row[1].bytes);
	return RC_OK;
}

static void do_one(struct hub *h, struct job *j, struct str id, struct str reason)
{
	struct store_value row[DEAD_LETTER_COLUMNS];
	struct arena *a = h->batch.txn.arena;
	struct err e = ERR_NONE;

	if (store_read_one(h->reader, R_DEAD_LETTER, &SV_TEXT(id), 1, a, row, &e) == RC_OK &&
	    (reason.n ? dead_letter_discard(h, row, reason, &e) : dead_letter_replay(h, a, row, j->id, &e)) == RC_OK)
		j->done++;
	else
		j->failed++;
}

static bool is_crowded(const struct hub *h, struct str system)
{
	const struct config_system *s = system.n ? config_find_system(h->tenant, system) : NULL;

	return s && hub_system_crowded(h, s->index);
}

enum rc job_step_dead_letters(struct hub *h, struct job *j, uint32_t max, bool *finished, struct err *e)
{
	struct query q = {.hub = h, .reader = h->reader, .arena = h->batch.txn.arena};
	struct slice s = {
	    .arena = q.arena, .ids = arena_array(q.arena, struct str, max), .seqs = arena_array(q.arena, int64_t, max)};
	struct str reason = json_get_text(j->params, "reason");
	struct dead_letter_filter filter;
	int64_t through = 0;
	enum rc rc = dead_letter_filter_read(json_get(j->params, "filter"), &filter, e);

	if (!s.ids || !s.seqs)
		return RC_RETRY;
	if (rc == RC_OK && !reason.n && is_crowded(h, filter.system))
		return RC_RETRY;
	json_int(json_get(j->params, "through"), &through);
	if (rc == RC_OK)
		rc = dead_letters_read(&q, &filter, j->position, through, max, note_id, &s, e);
	for (uint32_t i = 0; rc == RC_OK && i < s.count; i++) {
		do_one(h, j, s.ids[i], reason);
		j->position = s.seqs[i];
	}
	*finished = s.count < max;
	return rc;
}
