// reserve.mjs SECONDS WARM_UP: durable reservations a second of `crossdock serve` (SQLite), one by one over HTTP and 1,000 in a
// request, and of PostgreSQL by pgbench; of one item and of 10,000, by 16 and by 64 callers. Each begins with a new store, with stock that does
// not run out; at its end what was promised is compared with the books. Then a small stock is sold out, and nothing must be sold twice.
// A line of JSON for bench/run.
//
// BUILD: where the programs are; WORK: a folder; CROSSDOCK_TEST_PG: a PostgreSQL server's URL (tools/with-postgres).
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { WORK, folder, load, output, receive_all, run, serve, sink, stop, tell } from "./common.mjs";

const PG = process.env.CROSSDOCK_TEST_PG;
const [seconds, warm] = process.argv.slice(2).map(Number);
const callers = [16, 64], items = 10_000, batch = 1_000;
const found = [];

// ---- Crossdock ----

const sku = (i) => `S${String(i).padStart(5, "0")}`;
const line = (i) => [{ sku: sku(i), quantity: "1" }];
let random = 1;
const dice = (n) => (random = (Math.imul(random, 1103515245) + 12345) >>> 1) % n;

/* A file with one body a line. */
function bodies(name, spread, many) {
	const one = () => ({ channel: "shop", lines: line(spread ? dice(items) : 0) });
	const list = Array.from({ length: !spread ? 1 : many ? 50 : items }, () => (many ? { items: Array.from({ length: batch }, one) } : one()));
	writeFileSync(`${WORK}/${name}`, `${list.map((b) => JSON.stringify(b)).join("\n")}\n`);
	return `${WORK}/${name}`;
}

async function hub(name, stock, body) {
	const target = await sink(), { url } = target;
	const made = folder(name, `listen: 127.0.0.1:0
store: sqlite
limits: {holds: 100000000}
tenants:
  bench:
    locations: {east: {}}
    systems:
      shop: {connector: canonical, url: "${url}", roles: [channel]}
      wms: {connector: canonical, url: "${url}", roles: [warehouse], locations: [east]}
    channels:
      shop: {locations: [east], hold_ttl: 1d}
    records: {stock: wms}
`);
	const server = await serve(made);
	await receive_all(server, items, sku, stock);
	try {
		return await body(server);
	} finally {
		await stop(server.child);
		await stop(target.child);
		rmSync(made.dir, { recursive: true });
	}
}

const ask = (h, file, connections, more) => load(h, "/v1/reservations", file, ["--connections", String(connections), ...more]);

/* [free, held] of items by the books. */
async function books(h, spread) {
	let free = 0, held = 0, least = Infinity;
	for (let i = 0; i < (spread ? items : 1); i++) {
		const { states } = (await h.read(`/v1/stock/${sku(i)}`)).positions[0];
		free += Number(states.free);
		held += Number(states.held);
		least = Math.min(least, Number(states.free));
	}
	return { free, held, least };
}

const crossdock = (many, spread, connections) => hub(`hub-${many}-${spread}-${connections}`, 10_000_000, async (h) => {
	const what = `Crossdock, ${many ? "batch" : "one by one"}, ${spread ? "spread" : "hot"}, ${connections}`;
	const r = await ask(h, bodies("bodies", spread, many), connections, ["--seconds", String(seconds), "--warm-up", String(warm)]);
	const { held, least } = await books(h, spread), promised = r.acknowledged * (many ? batch : 1);
	if (r.sent !== r.acknowledged) found.push(`${what}: ${r.sent - r.acknowledged} not acknowledged: ${r.first_refusal}`);
	if (held !== promised || least < 0) found.push(`${what}: ${promised} promised, ${held} held, at least ${least} free`);
	const each = many ? batch : 1;
	return { rate: r.rate * each, p50_us: r.p50_us, p99_us: r.p99_us, cpu_us: r.cpu_us_per_request / each, cores: r.cpu_cores, load_cores: r.load_cores };
});

/* 64 callers want what is not there for all of them. */
async function sold_out() {
	const stock = 100, wanted = items * 2;
	return hub("hub-out", stock, async (h) => {
		const file = `${WORK}/out`;
		writeFileSync(file, `${Array.from({ length: wanted / 10 }, () => JSON.stringify({ channel: "shop", lines: line(0) })).join("\n")}\n`);
		const r = await ask(h, file, 64, ["--once"]);
		const { free, held } = await books(h, false), promised = r.statuses[201] ?? 0;
		const oversold = Math.max(0, promised - stock, held - stock, -free);
		if (oversold || promised !== stock || held !== stock) found.push(`sold out: ${promised} promised, ${held} held, ${free} free of ${stock}`);
		return { stock, asked: r.sent, promised, oversold };
	});
}

// ---- PostgreSQL ----

const sql = (text) => execFileSync("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", PG, "-c", text], { encoding: "utf8" }).trim();
const programs = () => {
	const root = "/usr/lib/postgresql", newest = readdirSync(root).sort((a, b) => Number(b) - Number(a))[0];
	return process.env.CROSSDOCK_PG_BIN ?? `${root}/${newest}/bin`;
};

/* One statement a reservation: the row is written only where the stock was there. */
const postgres = async (spread, connections) => {
	const opening = 10_000_000, script = `${WORK}/pgbench.sql`;
	sql(`DROP TABLE IF EXISTS stock, reservation; CREATE TABLE stock (sku text PRIMARY KEY, free bigint NOT NULL, held bigint NOT NULL) WITH (fillfactor = 50);
		CREATE TABLE reservation (id uuid PRIMARY KEY, sku text NOT NULL, quantity bigint NOT NULL, expires_at timestamptz NOT NULL);
		INSERT INTO stock SELECT 'S' || lpad(i::text, 5, '0'), ${opening}, 0 FROM generate_series(0, ${items - 1}) i`);
	sql("VACUUM ANALYZE stock");
	sql("CHECKPOINT");
	writeFileSync(script, `${spread ? `\\set i random(0, ${items - 1})` : "\\set i 0"}
WITH taken AS (UPDATE stock SET free = free - 1, held = held + 1 WHERE sku = 'S' || lpad((:i)::text, 5, '0') AND free >= 1 RETURNING sku)
INSERT INTO reservation SELECT gen_random_uuid(), sku, 1, now() + interval '15 minutes' FROM taken;
`);
	const text = await output(run(`${programs()}/pgbench`, ["-n", "-M", "prepared", "-c", String(connections), "-j", "2", "-T", String(Math.ceil(seconds + warm)), "-f", script, PG]));
	const [held, rows, least] = sql("SELECT sum(held), (SELECT count(*) FROM reservation), min(free) FROM stock").split("|").map(Number);
	if (held !== rows || least < 0) found.push(`PostgreSQL: ${held} held, ${rows} reservations, at least ${least} free`);
	return { rate: Number(/tps = ([\d.]+)/.exec(text)[1]), p50_us: Number(/latency average = ([\d.]+)/.exec(text)[1]) * 1000 };
};

// ---- the run ----

const ways = { postgresql: postgres, one: (s, c) => crossdock(false, s, c), batch: (s, c) => crossdock(true, s, c) };
const is = { postgresql: { hot: {}, spread: {} }, one: { hot: {}, spread: {} }, batch: { hot: {}, spread: {} } };
for (const spread of [false, true])
	for (const c of callers)
		for (const [name, way] of Object.entries(ways)) is[name][spread ? "spread" : "hot"][`c${c}`] = await way(spread, c);
tell({ items, is, out: await sold_out(), found });
process.exit(0);
