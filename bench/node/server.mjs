// Takes orders into PostgreSQL: POST /orders, and GET /count. WORKERS=1 serves in this process; more share the port.
// One INSERT an order: the order, its lines as JSON and its key under a UNIQUE constraint; a repeat gets the first order's id.
import cluster from "node:cluster";
import { randomUUID } from "node:crypto";
import Fastify from "fastify";
import pg from "pg";

const workers = Number(process.env.WORKERS ?? 1);
const poolSize = 20; // connections of a process
const text = { type: "string", minLength: 1, maxLength: 256 };
const decimal = { type: "string", pattern: "^-?[0-9]{1,14}(\\.[0-9]{1,6})?$" };
const charge = {
	type: "object",
	required: ["code", "amount"],
	additionalProperties: false,
	properties: { code: text, description: text, amount: decimal },
};

const order = {
	type: "object",
	required: ["channel", "external_id", "placed_at", "currency", "customer", "lines"],
	additionalProperties: false,
	properties: {
		channel: text,
		external_id: text,
		placed_at: { type: "string", format: "date-time" },
		currency: { type: "string", pattern: "^[A-Z]{3}$" },
		customer: { type: "object", required: ["external_id"], additionalProperties: false, properties: { external_id: text } },
		parties: { type: "object" },
		charges: { type: "array", maxItems: 100, items: charge },
		allowances: { type: "array", maxItems: 100, items: charge },
		lines: {
			type: "array",
			minItems: 1,
			maxItems: 1000,
			items: {
				type: "object",
				required: ["line_id", "sku", "quantity", "unit_price"],
				additionalProperties: false,
				properties: {
					line_id: text,
					sku: text,
					description: text,
					quantity: decimal,
					uom: text,
					unit_price: decimal,
				},
			},
		},
	},
};

const accepted = {
	type: "object",
	properties: { order_id: { type: "string" }, correlation_id: { type: "string" }, status: { type: "string" } },
};

const insert = {
	name: "insert_order",
	text: `INSERT INTO orders (order_id, channel, external_id, idempotency_key, placed_at, currency, customer, head, lines)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (idempotency_key) DO NOTHING`,
};
const find = { name: "find_order", text: "SELECT order_id FROM orders WHERE idempotency_key = $1" };

async function prepare() {
	const client = new pg.Client(process.env.DATABASE);
	await client.connect();
	for (const setting of ["fsync", "synchronous_commit"]) {
		const { rows } = await client.query(`SHOW ${setting}`);
		if (rows[0][setting] !== "on") throw new Error(`${setting} is off`);
	}
	await client.query(`CREATE TABLE IF NOT EXISTS orders (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		order_id uuid NOT NULL,
		channel text NOT NULL,
		external_id text NOT NULL,
		idempotency_key text NOT NULL UNIQUE,
		placed_at timestamptz NOT NULL,
		currency text NOT NULL,
		customer text NOT NULL,
		head jsonb NOT NULL,
		lines jsonb NOT NULL,
		received_at timestamptz NOT NULL DEFAULT now())`);
	await client.end();
}

async function serve(port) {
	const pool = new pg.Pool({ connectionString: process.env.DATABASE, max: poolSize });
	const app = Fastify({ logger: false });

	app.post("/orders", { schema: { body: order, response: { 202: accepted } } }, async (request, reply) => {
		const { lines, ...head } = request.body;
		const key = request.headers["idempotency-key"] ?? `${head.channel}/${head.external_id}`;
		const correlation = request.headers["correlation-id"] ?? randomUUID();
		let id = randomUUID();
		const values = [
			id, head.channel, head.external_id, key, head.placed_at, head.currency, head.customer.external_id,
			JSON.stringify(head), JSON.stringify(lines),
		];
		const result = await pool.query({ ...insert, values });
		if (result.rowCount === 0) {
			const first = await pool.query({ ...find, values: [key] });
			id = first.rows[0].order_id;
		}
		reply.code(202);
		return { order_id: id, correlation_id: correlation, status: "captured" };
	});
	app.get("/count", async () => (await pool.query("SELECT count(*)::int AS orders FROM orders")).rows[0]);
	return app.listen({ host: "127.0.0.1", port });
}

if (workers === 1) {
	await prepare();
	console.log(`listening on ${await serve(0)}`);
} else if (cluster.isPrimary) {
	await prepare();
	let listening = 0;
	for (let i = 0; i < workers; i++) cluster.fork();
	cluster.on("listening", (worker, address) => {
		if (++listening === workers) console.log(`listening on http://127.0.0.1:${address.port}`);
	});
	cluster.on("exit", () => process.exit(1));
	process.on("SIGTERM", () => {
		for (const worker of Object.values(cluster.workers)) worker.process.kill();
		process.exit(0);
	});
} else {
	await serve(0);
}
