// delivery.mjs rate|backlog|destinations|node ...: deliveries that wait, sent to a local sink; a line of JSON for bench/run.
//
//     rate COUNT                  deliveries/s and CPU of `crossdock serve` to one sink
//     node COUNT URL POSTMASTER   the same with node/worker.mjs and PostgreSQL
//     backlog COUNT               COUNT wait for a system that is away: start-up, memory, the rate of the others; then it is back
//     destinations SECONDS        the lag of healthy destinations: alone, and beside as many that are dead or slow
//
// BUILD: where the programs are; WORK: a folder with orders.ndjson.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createInterface } from "node:readline";

const { BUILD = "build/release", WORK } = process.env;
const [verb, ...rest] = process.argv.slice(2);
const children = new Set();
const bodies = `${WORK}/orders.ndjson`;

function run(command, args, env = {}) {
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } });
	children.add(child);
	child.once("exit", () => children.delete(child));
	return child;
}
async function listening(child) {
	for await (const line of createInterface({ input: child.stdout })) {
		const found = /^listening on http:.*:(\d+)$/.exec(line);
		if (found) {
			child.stdout.resume();
			return Number(found[1]);
		}
	}
	throw new Error("it does not start");
}
async function stop(child) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGTERM");
	await ended;
}
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const now = () => performance.now() / 1000;

const stat = (pid) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
/* User and system time in us: of the process, and with `tree` of its children, those that have ended included. */
function cpu(pid, tree) {
	const own = stat(pid);
	let ticks = Number(own[11]) + Number(own[12]);
	if (tree) {
		ticks += Number(own[13]) + Number(own[14]);
		for (const other of readdirSync("/proc").filter((n) => /^\d+$/.test(n)))
			try {
				const s = stat(other);
				if (s[1] === String(pid)) ticks += Number(s[11]) + Number(s[12]);
			} catch { /* it has ended */ }
	}
	return ticks * 10_000;
}
const memory = (pid) => Number(/^Rss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024;

/* systems: {name: {url, delivery}} */
function folder(name, systems) {
	const dir = `${WORK}/${name}`;
	mkdirSync(dir);
	const rows = Object.entries(systems).map(([id, { url, delivery = "" }]) =>
		`      ${id}: {connector: canonical, url: "${url}", roles: [channel]${delivery && `, delivery: {${delivery}}`}}`);
	writeFileSync(`${dir}/crossdock.yaml`, `listen: 127.0.0.1:0
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
	const key = JSON.parse(execFileSync(`${BUILD}/crossdock`, ["key", "create", "--tenant", "bench", "--scopes", "admin", "--json", "--dir", dir])).key;
	return { dir, key };
}
const fill = (dir, system, count, keys) => execFileSync(`${BUILD}/bench/bench_delivery`, [dir, system, String(count), String(keys), bodies]);
async function serve({ dir, key }) {
	const begin = now();
	const child = run(`${BUILD}/crossdock`, ["serve", dir]);
	const port = await listening(child);
	const call = async (path, options) => {
		const answer = await fetch(`http://127.0.0.1:${port}${path}`, { ...options, headers: { authorization: `Bearer ${key}`, "content-type": "application/json" } });
		if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
		return answer.json();
	};
	const read = (path) => call(path), post = (path, body) => call(path, { method: "POST", body: JSON.stringify(body) });
	await read("/v1/systems");
	return { child, read, post, start_ms: (now() - begin) * 1000 };
}
const receive = (hub) => hub.post("/v1/stock/movements", {
	source: "wms", source_event_id: "m", type: "receive", occurred_at: new Date().toISOString(), lines: [{ sku: "A", location: "east", quantity: "1000000" }],
});
async function sink() {
	const child = run(`${BUILD}/bench/bench_sink`, ["--threads", "1"]);
	return { child, url: `http://127.0.0.1:${await listening(child)}` };
}

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
	const made = folder("delivery", { shop: { url: target.url, delivery: "slots: 64" } });
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
	const made = folder("backlog", { shop: { url: target.url, delivery: "slots: 64" }, dead: { url: `http://127.0.0.1:${port}`, delivery: "slots: 64, retry_base: 100ms, retry_max: 1s" } });
	const empty = await serve(made);
	const memory_empty_mb = memory(empty.child.pid);
	await stop(empty.child);
	fill(made.dir, "shop", others, others);
	const alone = await serve(made);
	const before = await measure(others, delivered(alone, "shop"), alone.child.pid);
	await stop(alone.child);
	fill(made.dir, "dead", count, Math.ceil(count / 10));
	let hub = await serve(made); /* counts what was put in behind its back, and writes it down with its first batch */
	await receive(hub);
	await stop(hub.child);
	fill(made.dir, "shop", others, others);
	hub = await serve(made);
	const start_ms = hub.start_ms;
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
	const begin = now();
	while ((await delivered(hub, "dead")()) < count) await pause(200);
	const back_rate = count / (now() - begin);
	await stop(hub.child);
	await stop(target.child);
	back.closeAllConnections();
	back.close();
	return { deliveries: count, start_ms, memory_empty_mb, memory_mb, idle_cores, rate_before: before.rate, rate: during.rate, back_rate, arrived: ids.size, twice, out_of_order };
}

/*
 * A paced load to HEALTHY destinations, first alone, then beside as many bad ones with deliveries of their own: refusing connections,
 * never answering, or answering after 10 s. lag: from the commit to the answer, as the server measures it.
 */
const HEALTHY = 25;
async function destinations(seconds) {
	const target = await sink();
	const held = new Set();
	const slow = http.createServer((request, response) => {
		request.resume();
		const timer = setTimeout(() => (held.delete(timer), response.end("{}")), 10_000);
		held.add(timer);
	});
	await once(slow.listen(0, "127.0.0.1"), "listening");
	const url = { dead: "http://127.0.0.1:9", slow: `http://127.0.0.1:${slow.address().port}` };
	const one = async (name, bad) => {
		const systems = {};
		for (let i = 0; i < HEALTHY; i++) systems[`good${i}`] = { url: target.url };
		for (let i = 0; bad && i < HEALTHY; i++) systems[`bad${i}`] = { url: url[i % 2 ? "dead" : "slow"] };
		const made = folder(name, systems);
		if (bad) for (let i = 0; i < HEALTHY; i++) fill(made.dir, `bad${i}`, 1000, 1000);
		const hub = await serve(made);
		await receive(hub);
		const begin = cpu(hub.child.pid), until = now() + seconds;
		for (let i = 0, due = now(); now() < until; i++) {
			const lines = [{ sku: "A", location: "east", quantity: "1" }];
			await hub.post("/v1/stock/movements", { source: "wms", source_event_id: `s${i}`, type: "ship", occurred_at: new Date().toISOString(), lines });
			due += 0.02;
			if (due > now()) await pause((due - now()) * 1000);
		}
		let items;
		do ({ items } = await hub.read("/v1/systems"));
		while (items.some((s) => s.id.startsWith("good") && s.backlog > 0));
		const good = items.filter((s) => s.id.startsWith("good")).map((s) => s.lag);
		const mean = (field) => good.reduce((sum, lag) => sum + lag[field], 0) / good.length;
		const found = { lag_p50_us: mean("p50_us"), lag_p95_us: mean("p95_us"), lag_p99_us: mean("p99_us"), count: good.reduce((sum, lag) => sum + lag.count, 0), cpu_cores: (cpu(hub.child.pid) - begin) / 1e6 / seconds };
		await stop(hub.child);
		return found;
	};
	const alone = await one("destinations_alone", false), beside = await one("destinations_beside", true);
	for (const timer of held) clearTimeout(timer);
	slow.closeAllConnections();
	slow.close();
	await stop(target.child);
	return { alone, beside };
}

try {
	const verbs = {
		rate: () => rate(Number(rest[0])),
		node: () => nodeRate(Number(rest[0]), rest[1], rest[2], rest[3] ?? "1"),
		backlog: () => backlog(Number(rest[0])),
		destinations: () => destinations(Number(rest[0])),
	};
	console.log(JSON.stringify(await verbs[verb]()).replace(/":/g, '": ').replace(/,"/g, ', "'));
} finally {
	for (const child of children) child.kill("SIGKILL");
}
