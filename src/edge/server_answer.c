#include "edge/server_internal.h"

#include <assert.h>
#include <stdlib.h>

void answer_keep(struct connection *c, int status, const struct server_field *fields, size_t count)
{
	assert(count <= SERVER_FIELDS_MAX);
	c->status = status;
	c->field_count = count;
	buf_reset(&c->fields);
	for (size_t i = 0; i < count; i++) {
		buf_add(&c->fields, fields[i].name, strlen(fields[i].name) + 1);
		buf_add_str(&c->fields, fields[i].value);
		buf_add_char(&c->fields, '\0');
	}
	assert(buf_ok(&c->fields));
}

void server_answer(struct server_request *r, int status, const struct server_field *fields, size_t count,
		   struct str body)
{
	struct connection *c = (struct connection *)r;
	struct server *s = c->server;
	answer_keep(c, status, fields, count);
	buf_reset(&c->answer);
	buf_add_str(&c->answer, body);
	assert(buf_ok(&c->answer));
	atomic_fetch_add(&s->waking, 1);
	if (atomic_exchange(&c->turn, TURN_ANSWERED) == TURN_SUSPENDED)
		MHD_resume_connection(c->mhd);
	atomic_fetch_sub(&s->waking, 1);
	connection_release(c);
}

bool connection_give_up(struct connection *c)
{
	int expected = TURN_SUSPENDED;
	if (!atomic_compare_exchange_strong(&c->turn, &expected, TURN_LOST))
		return false;
	MHD_resume_connection(c->mhd);
	return true;
}

enum MHD_Result answer_send(struct connection *c, struct MHD_Response *response, int status)
{
	connection_phase(c, c->stream ? PHASE_STREAM : PHASE_SENDING);
	if (c->refusal.close || atomic_load(&c->server->stopping))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	enum MHD_Result done = MHD_queue_response(c->mhd, (unsigned)status, response);
	MHD_destroy_response(response);
	if (c->server->options.answered)
		c->server->options.answered(c->server->options.ctx, &c->request, status);
	return done;
}

void answer_add_fields(struct connection *c, struct MHD_Response *response)
{
	const char *p = c->fields.p;
	for (size_t i = 0; i < c->field_count; i++) {
		const char *value = p + strlen(p) + 1;
		MHD_add_response_header(response, p, value);
		p = value + strlen(value) + 1;
	}
}

enum MHD_Result answer_queue(struct connection *c)
{
	if (c->stream)
		return stream_queue(c);
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(c->answer.n, c->answer.p ? c->answer.p : "", MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	answer_add_fields(c, response);
	return answer_send(c, response, c->status);
}

/* The request may still be somebody else's (TURN_LOST): the answer is made from a copy of its public part. */
enum MHD_Result answer_refusal(struct connection *c)
{
	struct server *s = c->server;
	struct server_request copy = c->request;
	struct arena arena;
	arena_init(&arena, 64 * 1024);
	copy.arena = &arena;
	copy.user = NULL;
	struct str body = str_from(c->refusal.detail);
	struct server_field fields[SERVER_REFUSE_FIELDS] = {{MHD_HTTP_HEADER_CONTENT_TYPE, STR("text/plain")}};
	size_t count = 1;
	if (s->options.refuse)
		count = s->options.refuse(s->options.ctx, &copy, c->refusal.status, c->refusal.code, c->refusal.detail,
					  fields, &body);
	enum MHD_Result done = MHD_NO;
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
	if (response) {
		for (size_t i = 0; i < count; i++)
			MHD_add_response_header(response, fields[i].name, arena_copy(&arena, fields[i].value).p);
		if (c->refusal.status == 503)
			MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
		done = answer_send(c, response, c->refusal.status);
	}
	arena_done(&arena);
	return done;
}
