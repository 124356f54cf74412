// reconcile.mjs COUNT SECONDS: reconciles COUNT items that are on hand, one in a thousand of them different, read from a sink in pages of
// 1,000; alone, then while orders are taken. SECONDS is how long orders are measured without it. A line of JSON for bench/run.
//
// BUILD: where the programs are; WORK: a folder.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createInterface } from "node:readline";

const { BUILD = "build/release", WORK } = process.env;
const [count, seconds] = process.argv.slice(2).map(Number);
const PAGE = 1000, DIFFERENT = 1000, ON_HAND = 100, RATE = 200;
const LATER = 65; /* seconds: what was booked in the minute before their instant is looked at, and a million items are not booked in a minute */
const children = new Set();
const now = () => performance.now() / 1000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function run(command, args) {
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
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
const memory = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
const cpu = (pid) => {
	const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
	return (Number(stat[11]) + Number(stat[12])) / 100;
};
const sku = (i) => `ITEM-${String(i).padStart(7, "0")}`;

/* The warehouse, its pages made before. Orders that are taken meanwhile stay on hand, so nothing else differs. */
async function warehouse() {
	const pages = [];
	for (let from = 0; from < count; from += PAGE) {
		const to = Math.min(from + PAGE, count), items = [];
		for (let i = from; i < to; i++) items.push(`{"sku":"${sku(i)}","location":"east","quantity":"${i % DIFFERENT ? ON_HAND : ON_HAND - 1}"}`);
		pages.push(Buffer.from(`"items":[${items}],"next_cursor":${to < count ? `"${pages.length + 1}"` : null}}`));
	}
	const server = http.createServer((request, response) => {
		request.resume();
		const { pathname, searchParams } = new URL(request.url, "http://x");
		response.setHeader("content-type", "application/json");
		if (pathname !== "/stock-balances") return response.end("{}");
		response.write(`{"as_of":"${new Date().toISOString()}",`);
		response.end(pages[Number(searchParams.get("cursor") ?? 0)]);
	});
	await once(server.listen(0, "127.0.0.1"), "listening");
	return server;
}

async function serve(channel, wms) {
	const dir = `${WORK}/reconcile`;
	mkdirSync(dir);
	writeFileSync(`${dir}/crossdock.yaml`, `listen: 127.0.0.1:0
store: sqlite
tenants:
  bench:
    locations: {east: {}}
    systems:
      shop: {connector: canonical, url: "${channel}", roles: [channel]}
      wms: {connector: canonical, url: "${wms}", roles: [warehouse], locations: [east]}
    channels: {shop: {locations: [east]}}
    records: {stock: wms}
    reconcile: {wms: {settle: 0s, on_drift: report}}
`);
	const { key } = JSON.parse(execFileSync(`${BUILD}/crossdock`, ["key", "create", "--tenant", "bench", "--scopes", "admin", "--json", "--dir", dir]));
	const child = run(`${BUILD}/crossdock`, ["serve", dir]);
	const port = await listening(child);
	const call = async (path, options) => {
		const answer = await fetch(`http://127.0.0.1:${port}${path}`, { ...options, headers: { authorization: `Bearer ${key}`, "content-type": "application/json" } });
		if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
		return answer.json();
	};
	return { child, port, key, read: (path) => call(path), post: (path, body) => call(path, { method: "POST", body: JSON.stringify(body) }) };
}

/* COUNT items, received an hour ago; then until the channel has been told of all of them. */
async function fill(hub) {
	const at = new Date(Date.now() - 3_600_000).toISOString(), begin = now();
	let next = 0;
	const one = async () => {
		for (let from; (from = next) < count;) {
			next += PAGE;
			const lines = Array.from({ length: Math.min(PAGE, count - from) }, (_, i) => ({ sku: sku(from + i), location: "east", quantity: String(ON_HAND) }));
			await hub.post("/v1/stock/movements", { source: "wms", source_event_id: `m${from}`, type: "receive", occurred_at: at, lines });
		}
	};
	await Promise.all([one(), one(), one(), one()]);
	const filled = now() - begin;
	while ((await hub.read("/v1/systems/shop")).backlog > 0) await pause(200);
	const lines = [];
	for (let i = 0; i < 20_000; i++)
		lines.push(JSON.stringify({
			channel: "shop", external_id: "o-b@@@@@@@@@@@@", placed_at: at, currency: "GBP", customer: { external_id: "C1" },
			lines: [0, 1, 2].map((n) => ({ line_id: String(n + 1), sku: sku((i * 7919 + n * 104_729) % count), quantity: "1", uom: "EA", unit_price: "2.55" })),
		}));
	writeFileSync(`${WORK}/reconcile.ndjson`, `${lines.join("\n")}\n`);
	return filled;
}

let tags = 0;
async function orders(hub, forSeconds) {
	const child = run(`${BUILD}/bench/bench_load`, ["--to", `127.0.0.1:${hub.port}`, "--path", "/v1/orders", "--connections", "16", "--rate", String(RATE),
		"--seconds", String(forSeconds), "--warm-up", "0.5", "--tag", `z${String(++tags).padStart(3, "0")}`, "--header", `Authorization: Bearer ${hub.key}`,
		"--bodies", `${WORK}/reconcile.ndjson`]);
	let text = "";
	for await (const part of child.stdout.setEncoding("utf8")) text += part;
	return JSON.parse(text);
}

async function reconcile(hub) {
	const pid = hub.child.pid, before = memory(pid), used = cpu(pid), begin = now();
	let peak = before, found;
	const { reconciliation_id } = await hub.post("/v1/reconciliations", { system: "wms" });
	do {
		await pause(50);
		peak = Math.max(peak, memory(pid));
		found = await hub.read(`/v1/reconciliations/${reconciliation_id}`);
	} while (found.status === "running");
	const took = now() - begin;
	return { status: found.status, compared: found.summary.compared, differences: found.summary.differences?.lost, seconds: took, rate: count / took,
		cores: (cpu(pid) - used) / took, memory_before_mb: before, memory_peak_mb: peak };
}

try {
	const shop = run(`${BUILD}/bench/bench_sink`, ["--threads", "1"]);
	const wms = await warehouse();
	const hub = await serve(`http://127.0.0.1:${await listening(shop)}`, `http://127.0.0.1:${wms.address().port}`);
	const fill_seconds = await fill(hub);
	const later = now() + LATER;
	const without = await orders(hub, seconds);
	await pause(Math.max(0, later - now()) * 1000);
	const alone = await reconcile(hub);
	const taking = orders(hub, Math.max(1, alone.seconds));
	await pause(500);
	const beside = await reconcile(hub);
	const during = await taking;
	await stop(hub.child);
	await stop(shop);
	wms.closeAllConnections();
	wms.close();
	const taken = (r) => ({ rate: r.rate, p50_us: r.p50_us, p99_us: r.p99_us, max_us: r.max_us, sent: r.sent, acknowledged: r.acknowledged });
	const found = { items: count, wanted: Math.ceil(count / DIFFERENT), fill_seconds, alone, beside, orders_without: taken(without), orders_during: taken(during) };
	console.log(JSON.stringify(found).replace(/":/g, '": ').replace(/,"/g, ', "'));
} finally {
	for (const child of children) child.kill("SIGKILL");
}
