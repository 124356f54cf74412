// reserve.mjs [--short] [--write]: durable reservations a second of `crossdock serve` (SQLite), one by one over HTTP and 1,000 in a
// request, and of PostgreSQL by pgbench; of one item and of 10,000, by 16 and by 64 callers. Each part starts anew, with stock that does
// not run out; at its end what was promised is compared with the books. Then a small stock is sold out, and nothing must be sold twice.
//
// BUILD: where the programs are; CROSSDOCK_TEST_PG: a PostgreSQL server's URL (tools/with-postgres).
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { createInterface } from "node:readline";

const { BUILD, CROSSDOCK_TEST_PG: PG } = process.env;
const flags = process.argv.slice(2);
const short = flags.includes("--short");
const seconds = short ? 1 : 15, warm = short ? 0.2 : 2, callers = [16, 64], items = 10_000, batch = 1_000;
const work = mkdtempSync("/var/tmp/crossdock-reserve.");
const children = new Set();
const found = [];

function run(command, args) {
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
	children.add(child);
	child.once("exit", () => children.delete(child));
	return child;
}
async function output(child) {
	let text = "";
	child.stdout.setEncoding("utf8").on("data", (d) => (text += d));
	const [code] = await once(child, "close");
	if (code !== 0) throw new Error(`${child.spawnargs.join(" ")} ended with ${code}`);
	return text;
}
async function listening(child) {
	for await (const line of createInterface({ input: child.stdout })) {
		const at = /^listening on http:.*:(\d+)$/.exec(line);
		if (!at) continue;
		child.stdout.resume();
		return Number(at[1]);
	}
	throw new Error("it does not start");
}
async function stop(child) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGTERM");
	await ended;
}

// ---- Crossdock ----

const sku = (i) => `S${String(i).padStart(5, "0")}`;
const line = (i) => [{ sku: sku(i), quantity: "1" }];
let random = 1;
const dice = (n) => (random = (Math.imul(random, 1103515245) + 12345) >>> 1) % n;

/* A file with one body a line. */
function bodies(name, spread, many) {
	const one = () => ({ channel: "shop", lines: line(spread ? dice(items) : 0) });
	const list = Array.from({ length: !spread ? 1 : many ? 50 : items }, () => (many ? { items: Array.from({ length: batch }, one) } : one()));
	writeFileSync(`${work}/${name}`, `${list.map((b) => JSON.stringify(b)).join("\n")}\n`);
	return `${work}/${name}`;
}

async function hub(name, stock, body) {
	const folder = `${work}/${name}`, sink = run(`${BUILD}/bench/bench_sink`, []);
	const url = `http://127.0.0.1:${await listening(sink)}`;
	mkdirSync(folder);
	writeFileSync(`${folder}/crossdock.yaml`, `listen: 127.0.0.1:0
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
	const key = JSON.parse(execFileSync(`${BUILD}/crossdock`, ["key", "create", "--tenant", "bench", "--scopes", "admin", "--json", "--dir", folder])).key;
	const server = run(`${BUILD}/crossdock`, ["serve", folder]);
	const to = `127.0.0.1:${await listening(server)}`;
	const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
	const ask = async (path, document) => {
		const answer = await fetch(`http://${to}${path}`, { headers, ...(document && { method: "POST", body: JSON.stringify(document) }) });
		if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
		return answer.json();
	};
	for (let i = 0; i < items; i += batch)
		await ask("/v1/stock/movements", { items: Array.from({ length: batch }, (_, n) => ({ source: "wms", source_event_id: sku(i + n), type: "receive",
			occurred_at: "2026-01-01T00:00:00Z", lines: [{ sku: sku(i + n), location: "east", quantity: String(stock) }] })) });
	try {
		return await body({ to, key, ask, pid: server.pid });
	} finally {
		await stop(server);
		await stop(sink);
		rmSync(folder, { recursive: true });
	}
}

async function load(h, file, connections, more) {
	const text = await output(run(`${BUILD}/bench/bench_load`, ["--to", h.to, "--path", "/v1/reservations", "--header", `Authorization: Bearer ${h.key}`,
		"--bodies", file, "--connections", String(connections), "--watch", String(h.pid), ...more]));
	return JSON.parse(text);
}

/* [free, held] of items by the books. */
async function books(h, spread) {
	let free = 0, held = 0, least = Infinity;
	for (let i = 0; i < (spread ? items : 1); i++) {
		const { states } = (await h.ask(`/v1/stock/${sku(i)}`)).positions[0];
		free += Number(states.free);
		held += Number(states.held);
		least = Math.min(least, Number(states.free));
	}
	return { free, held, least };
}

const crossdock = (many, spread, connections) => hub(`hub-${many}-${spread}-${connections}`, 10_000_000, async (h) => {
	const what = `Crossdock, ${many ? "batch" : "one by one"}, ${spread ? "spread" : "hot"}, ${connections}`;
	const r = await load(h, bodies("bodies", spread, many), connections, ["--seconds", String(seconds), "--warm-up", String(warm)]);
	const { held, least } = await books(h, spread), promised = r.acknowledged * (many ? batch : 1);
	if (r.sent !== r.acknowledged) found.push(`${what}: ${r.sent - r.acknowledged} not acknowledged: ${r.first_refusal}`);
	if (held !== promised || least < 0) found.push(`${what}: ${promised} promised, ${held} held, at least ${least} free`);
	const each = many ? batch : 1;
	return { rate: r.rate * each, p50_us: r.p50_us, p99_us: r.p99_us, cpu_us: r.cpu_us_per_request / each, cores: r.cpu_cores };
});

/* 64 callers want what is not there for all of them. */
async function sold_out() {
	const stock = 100, wanted = items * 2;
	return hub("hub-out", stock, async (h) => {
		const file = `${work}/out`;
		writeFileSync(file, `${Array.from({ length: wanted / 10 }, () => JSON.stringify({ channel: "shop", lines: line(0) })).join("\n")}\n`);
		const r = await load(h, file, 64, ["--once"]);
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
	const opening = 10_000_000, script = `${work}/pgbench.sql`;
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

const whole = (n) => Math.round(n).toLocaleString("en-GB");
const ms = (us) => (us === undefined ? "" : (us / 1000).toFixed(us < 10_000 ? 2 : 1));
const times = (n) => `${n < 9.95 ? n.toFixed(1) : n.toFixed(0)} x`;

function table(head, body) {
	const all = [head, ...body], width = head.map((_, i) => Math.max(...all.map((r) => String(r[i]).length)));
	const row = (r) => `| ${r.map((c, i) => (i ? String(c).padStart(width[i]) : String(c).padEnd(width[i]))).join(" | ")} |`;
	return [row(head), `|${width.map((w, i) => (i ? `${"-".repeat(w + 1)}:` : "-".repeat(w + 2))).join("|")}|`, ...body.map(row)].join("\n");
}

const rows = [];
const ways = [["PostgreSQL", postgres], ["Crossdock, one by one", (s, c) => crossdock(false, s, c)], ["Crossdock, 1,000 in a request", (s, c) => crossdock(true, s, c)]];

async function measure() {
	for (const spread of [false, true])
		for (const c of callers)
			for (const [name, way] of ways) {
				rows.push({ name, spread, callers: c, ...(await way(spread, c)) });
				console.error(`  ${name}, ${spread ? "10,000 items" : "one item"}, ${c} callers: ${whole(rows.at(-1).rate)}/s`);
			}
	return sold_out();
}

function report(out) {
	const rate = (way, spread, c) => rows.find((r) => r.name === ways[way][0] && r.spread === spread && r.callers === c).rate;
	const best = (way, spread) => Math.max(...callers.map((c) => rate(way, spread, c)));
	const aim = (name, wanted, is, good) => [name, wanted, is, good ? "yes" : "no"];
	const one = best(1, false) / best(0, false), many = best(2, false) / best(0, false), hot = best(1, false) / best(1, true), hotMany = best(2, false) / best(2, true);
	return `${table(["", "aim", "is", "reached"], [
		aim("one hot item, 1,000 in a request, to PostgreSQL", "50 x", times(many), many >= 50),
		aim("one hot item, one by one, to PostgreSQL", "10 x", times(one), one >= 10),
		aim("hot of spread, one by one", "80 %", `${whole(hot * 100)} %`, hot >= 0.8),
		aim("hot of spread, 1,000 in a request", "80 %", `${whole(hotMany * 100)} %`, hotMany >= 0.8),
		aim(`oversold, of ${whole(out.stock)} that ${whole(out.asked)} wanted`, "0", whole(out.oversold), out.oversold === 0),
	])}

${table(["", "items", "callers", "reservations/s", "to PostgreSQL", "p50 ms", "p99 ms", "CPU us each", "cores"], rows.map((r) => [r.name, whole(r.spread ? items : 1), r.callers, whole(r.rate),
		times(r.rate / rate(0, r.spread, r.callers)), ms(r.p50_us), ms(r.p99_us), r.cpu_us?.toFixed(1) ?? "", r.cores?.toFixed(2) ?? ""]))}

PostgreSQL's p50 is pgbench's mean. p50 and p99 are of a request.
`;
}

process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
process.once("exit", () => {
	for (const child of children) child.kill("SIGKILL");
	rmSync(work, { recursive: true, force: true });
});
const text = report(await measure());
console.log(text);
for (const f of found) console.error(`bench/reserve: ${f}`);
if (flags.includes("--write")) {
	const file = new URL("RESULTS.md", import.meta.url), cpus = os.cpus();
	const section = `<!-- reserve -->\n${new Date().toISOString().slice(0, 10)}, ${cpus.length} cores (${cpus[0].model.trim()})${short ? ", a short run" : ""}.\n\n${text}<!-- /reserve -->`;
	writeFileSync(file, readFileSync(file, "utf8").replace(/<!-- reserve -->[^]*<!-- \/reserve -->/, () => section));
}
process.exitCode = found.length ? 1 : 0;
