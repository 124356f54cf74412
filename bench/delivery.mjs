// delivery.mjs rate|backlog|destinations|node ...: deliveries that wait, sent to a local sink; a line of JSON for bench/run.
//
//     rate COUNT                  deliveries/s and CPU of `crossdock serve` to one sink
//     node COUNT URL POSTMASTER   the same with node/worker.mjs and PostgreSQL
//     backlog COUNT               COUNT wait for a system that is away: start-up, memory, the rate of the others; then it is back
//     destinations SECONDS        the lag of healthy destinations: alone, and beside as many that are dead, slow, flapping or throttling
//
// BUILD: where the programs are; WORK: a folder with orders.ndjson
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import { BUILD, WORK, cpu, folder, memory, now, pause, run, serve, sink, stop, tell } from "./common.mjs";

const [verb, ...rest] = process.argv.slice(2);
const bodies = `${WORK}/orders.ndjson`;

/* systems: {name: {url, delivery}} */
function systems_folder(name, systems) {
	const rows = Object.entries(systems).map(([id, { url, delivery = "" }]) =>
		`      ${id}: {connector: canonical, url: "${url}", roles: [channel]${delivery && `, delivery: {${delivery}}`}}`);
	return folder(name, `listen: 127.0.0.1:0
store: sqlite
tenants:
  bench:
    locations: {east: {}}
    systems:
${rows.join("\n")}
      wms: {connector: canonical, url: "http://127.0.0.1:9", roles: [warehouse], locations: [east]}
    channels: {${Object.keys(systems).map((id) => `${id}: {locations: [east]}`).join(", ")}}
    records: {stock: wms}
`);
}
const fill = (dir, system, count, keys) => execFileSync(`${BUILD}/bench/bench_delivery`, [dir, system, String(count), String(keys), bodies]);
const receive = (hub) => hub.post("/v1/stock/movements", {
	source: "wms", source_event_id: "m", type: "receive", occurred_at: new Date().toISOString(), lines: [{ sku: "A", location: "east", quantity: "1000000" }],
});
/* Between a tenth and the end of `count`: {rate, cpu_us_per_delivery}. */
async function measure(count, done, pid, trees = []) {
	const used = () => cpu(pid) + trees.reduce((sum, tree) => sum + cpu(tree, true), 0);
	let n;
	do {
		await pause(20);
		n = await done();
	} while (n < count / 10);
	const first = { n, at: now(), cpu: used() };
	let last = first;
	while (n < count) {
		await pause(50);
		n = await done();
		if (n < count * 0.97) last = { n, at: now(), cpu: used() };
	}
	const made = last.n - first.n;
	return { deliveries: count, rate: made / (last.at - first.at), cpu_us_per_delivery: (last.cpu - first.cpu) / made, cores: (last.cpu - first.cpu) / 1e6 / (last.at - first.at) };
}

const delivered = (hub, id) => async () => (await hub.read(`/v1/systems/${id}`)).outcomes.delivered;

async function rate(count) {
	const target = await sink();
	const made = systems_folder("delivery", { shop: { url: target.url, delivery: "slots: 64" } });
	fill(made.dir, "shop", count, count);
	const hub = await serve(made);
	const found = await measure(count, delivered(hub, "shop"), hub.child.pid);
	const { failed = 0 } = await hub.read("/v1/overview");
	await stop(hub.child);
	await stop(target.child);
	return { ...found, failed };
}

async function nodeRate(count, url, postmaster, batch) {
	const sql = (text) => execFileSync("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text], { encoding: "utf8" }).trim();
	const target = await sink();
	sql("CREATE TABLE job (seq bigserial PRIMARY KEY, id text NOT NULL UNIQUE, body text NOT NULL, status int NOT NULL DEFAULT 0, attempts int NOT NULL DEFAULT 0, http_status int, response text, ended_at timestamptz); CREATE INDEX job_open ON job (seq) WHERE status = 0; CREATE TEMP TABLE x (b text)");
	const lines = readFileSync(bodies, "utf8").trim().split("\n");
	const rows = Array.from({ length: count }, (_, i) => `job-${i}\t${lines[i % lines.length].replaceAll("\\", "\\\\")}`).join("\n");
	execFileSync("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", "COPY job (id, body) FROM STDIN"], { input: `${rows}\n`, maxBuffer: 1 << 30 });
	sql("VACUUM ANALYZE job");
	const worker = run(process.execPath, ["bench/node/worker.mjs"], { DATABASE: url, TARGET: target.url, BATCH: batch });
	const found = await measure(count, async () => Number(sql("SELECT count(*) FROM job WHERE status = 1")), worker.pid, postmaster ? [Number(postmaster)] : []).catch((e) => {
		if (worker.exitCode === 0) return {};
		throw e;
	});
	sql("DROP TABLE job");
	await stop(target.child);
	return found;
}

async function backlog(count) {
	const others = Math.max(2000, Math.floor(count / 20));
	const target = await sink();
	const away = http.createServer();
	await once(away.listen(0, "127.0.0.1"), "listening");
	const { port } = away.address();
	away.close();
	const made = systems_folder("backlog", { shop: { url: target.url, delivery: "slots: 64" }, dead: { url: `http://127.0.0.1:${port}`, delivery: "slots: 64, retry_base: 100ms, retry_max: 1s" } });
	const empty = await serve(made);
	const memory_empty_mb = memory(empty.child.pid);
	await stop(empty.child);
	fill(made.dir, "shop", others, others);
	const alone = await serve(made);
	const before = await measure(others, delivered(alone, "shop"), alone.child.pid);
	await stop(alone.child);
	fill(made.dir, "dead", count, Math.ceil(count / 10));
	let hub = await serve(made);
	await receive(hub);
	await stop(hub.child);
	fill(made.dir, "shop", others, others);
	hub = await serve(made);
	const start_ms = hub.start_ms, { backlog: counted } = await hub.read("/v1/systems/dead");
	const during = await measure(others, delivered(hub, "shop"), hub.child.pid);
	const idle = { at: now(), cpu: cpu(hub.child.pid) };
	await pause(3000);
	const idle_cores = (cpu(hub.child.pid) - idle.cpu) / 1e6 / (now() - idle.at);
	const memory_mb = memory(hub.child.pid);
	/* it is back, and keeps in which order each order's deliveries come */
	const seen = new Map(), ids = new Set();
	let out_of_order = 0, twice = 0;
	const back = http.createServer((request, response) => {
		const id = request.headers["idempotency-key"];
		let text = "";
		request.setEncoding("latin1").on("data", (part) => (text += part)).on("end", () => {
			const key = request.headers["correlation-id"];
			if (ids.has(id)) twice++;
			else if (seen.get(key) > id) out_of_order++; /* ids ascend with time */
			ids.add(id);
			seen.set(key, id);
			response.end("{}");
		});
	});
	await once(back.listen(port, "127.0.0.1"), "listening");
	const begin = now(), used = cpu(hub.child.pid), own = process.cpuUsage();
	while ((await delivered(hub, "dead")()) < count) await pause(200);
	const took = now() - begin, { user, system } = process.cpuUsage(own);
	const back_rate = count / took, back_cores = (cpu(hub.child.pid) - used) / 1e6 / took, back_sink_cores = (user + system) / 1e6 / took;
	await stop(hub.child);
	await stop(target.child);
	back.closeAllConnections();
	back.close();
	return { deliveries: count, counted, start_ms, memory_empty_mb, memory_mb, idle_cores, rate_before: before.rate, rate: during.rate, back_rate, back_cores, back_sink_cores, arrived: ids.size, twice, out_of_order };
}

/*
 * Changes of stock at 50/s told to 25 healthy destinations, first alone, then beside 25 bad ones that have deliveries of their own: dead,
 * slow (10 s), flapping (two seconds good, two seconds bad), throttling (429 after 10 requests in a second). lag: from the commit to the
 * good answer, as the server measures it.
 */
const HEALTHY = 25, BAD = { dead: 10, slow: 5, flapping: 5, throttling: 5 }, WAITING = 1000;

function bad_servers() {
	const held = new Set();
	const good = (response) => response.end("{}");
	const refuse = (response, status, fields = {}) => response.writeHead(status, fields).end("{}");
	const windows = new Map(); /* throttling: requests to a port in this second */
	const kinds = {
		slow(request, response) {
			const timer = setTimeout(() => (held.delete(timer), good(response)), 10_000);
			held.add(timer);
		},
		flapping(request, response) {
			const phase = Math.floor(Date.now() / 1000) % 4;
			if (phase < 2) good(response);
			else if (phase === 2) refuse(response, 503);
			else request.socket.destroy();
		},
		throttling(request, response) {
			const port = request.socket.localPort, second = Math.floor(Date.now() / 1000), seen = windows.get(port);
			const n = seen?.second === second ? seen.n + 1 : 1;
			windows.set(port, { second, n });
			if (n <= 10) good(response);
			else refuse(response, 429, { "retry-after": "1" });
		},
	};
	const servers = [];
	const open = async (kind) => {
		const server = http.createServer((request, response) => request.resume().on("end", () => kinds[kind](request, response)));
		servers.push(server);
		await once(server.listen(0, "127.0.0.1"), "listening");
		return `http://127.0.0.1:${server.address().port}`;
	};
	const close = () => {
		for (const timer of held) clearTimeout(timer);
		for (const server of servers) server.closeAllConnections(), server.close();
	};
	return { open, close };
}

/* Then until the healthy ones have all. */
async function change_stock(hub, seconds) {
	const until = now() + seconds;
	for (let i = 0, due = now(); now() < until; i++) {
		const lines = [{ sku: "A", location: "east", quantity: "1" }];
		await hub.post("/v1/stock/movements", { source: "wms", source_event_id: `s${i}`, type: "ship", occurred_at: new Date().toISOString(), lines });
		due += 0.02;
		if (due > now()) await pause((due - now()) * 1000);
	}
	let items;
	do ({ items } = await hub.read("/v1/systems"));
	while (items.some((s) => s.id.startsWith("good") && s.backlog > 0));
	return items.filter((s) => s.id.startsWith("good")).map((s) => s.lag);
}

async function destinations(seconds) {
	const target = await sink(), servers = bad_servers();
	const one = async (name, with_bad) => {
		const systems = {}, bad = [];
		for (let i = 0; i < HEALTHY; i++) systems[`good${i}`] = { url: target.url };
		for (const [kind, n] of Object.entries(BAD))
			for (let i = 0; with_bad && i < n; i++) {
				bad.push(`${kind}${i}`);
				systems[`${kind}${i}`] = { url: kind === "dead" ? "http://127.0.0.1:9" : await servers.open(kind) };
			}
		const made = systems_folder(name, systems);
		for (const system of bad) fill(made.dir, system, WAITING, WAITING);
		const hub = await serve(made);
		await receive(hub);
		const begin = cpu(hub.child.pid), own = process.cpuUsage();
		const lags = await change_stock(hub, seconds);
		const { user, system } = process.cpuUsage(own), mean = (field) => lags.reduce((sum, lag) => sum + lag[field], 0) / lags.length;
		const found = { lag_p50_us: mean("p50_us"), lag_p95_us: mean("p95_us"), lag_p99_us: mean("p99_us"), count: lags.reduce((sum, lag) => sum + lag.count, 0),
			cpu_cores: (cpu(hub.child.pid) - begin) / 1e6 / seconds, load_cores: (user + system) / 1e6 / seconds };
		await stop(hub.child);
		return found;
	};
	const alone = await one("destinations_alone", false), beside = await one("destinations_beside", true);
	servers.close();
	await stop(target.child);
	return { alone, beside };
}

const verbs = {
	rate: () => rate(Number(rest[0])),
	node: () => nodeRate(Number(rest[0]), rest[1], rest[2], rest[3] ?? "1"),
	backlog: () => backlog(Number(rest[0])),
	destinations: () => destinations(Number(rest[0])),
};
tell(await verbs[verb]());
process.exit(0);
