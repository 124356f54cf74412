/*
 * What one would build instead: a worker that takes jobs from PostgreSQL with FOR UPDATE SKIP LOCKED, posts them, and notes what came of it.
 *
 *     DATABASE=URL TARGET=URL [CONCURRENCY=20] [BATCH=1] node worker.mjs
 *
 * CONCURRENCY loops, each with a connection of its own: take BATCH jobs, post them all over kept connections, mark them done with the
 * attempt, commit. A crash gives the jobs back. Ends when nothing is left.
 */
import http from "node:http";
import pg from "pg";

const { DATABASE, TARGET, CONCURRENCY = 20, BATCH = 1 } = process.env;
const target = new URL(TARGET);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const pool = new pg.Pool({ connectionString: DATABASE, max: Number(CONCURRENCY) });

function post(job) {
	return new Promise((done, fail) => {
		const request = http.request(
			{ agent, host: target.hostname, port: target.port, path: "/order-status", method: "POST",
				headers: { "content-type": "application/json", "content-length": Buffer.byteLength(job.body), "idempotency-key": job.id } },
			(response) => {
				let text = "";
				response.setEncoding("utf8").on("data", (part) => (text += part)).on("end", () => done({ status: response.statusCode, text }));
			});
		request.on("error", fail).end(job.body);
	});
}

const take = { name: "take", text: "SELECT seq, id, body FROM job WHERE status = 0 ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED" };
const end = { name: "end", text: `UPDATE job SET status = 1, attempts = attempts + 1, http_status = done.status, response = done.response, ended_at = now()
	FROM unnest($1::bigint[], $2::int[], $3::text[]) AS done (seq, status, response) WHERE job.seq = done.seq` };

async function loop() {
	const client = await pool.connect();
	for (;;) {
		await client.query("BEGIN");
		const { rows } = await client.query({ ...take, values: [Number(BATCH)] });
		const answers = await Promise.all(rows.map(post));
		await client.query({ ...end, values: [rows.map((job) => job.seq), answers.map((a) => a.status), answers.map((a) => a.text)] });
		await client.query("COMMIT");
		if (rows.length === 0)
			break;
	}
	client.release();
}

await Promise.all(Array.from({ length: Number(CONCURRENCY) }, loop));
await pool.end();
agent.destroy();
