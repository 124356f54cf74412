// reconcile.mjs COUNT SECONDS [LATER]: reconciles COUNT items that are on hand, one in a thousand of them different, read from a sink in pages of
// 1,000; alone, then while orders are taken. SECONDS is how long orders are measured without it, LATER (65)
// how many seconds after the items were booked it begins at the earliest. A line of JSON for bench/run.
//
// BUILD: where the programs are; WORK: a folder.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import http from "node:http";
import { WORK, cpu, folder, load, memory, now, pause, receive_all, serve, sink, stop, tell } from "./common.mjs";

const [count, seconds, later_s = 65] = process.argv.slice(2).map(Number);
const PAGE = 1000, DIFFERENT = 1000, ON_HAND = 100, RATE = 200;
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

const made = (channel, wms) => folder("reconcile", `listen: 127.0.0.1:0
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

/* Received an hour ago; then until the channel has been told of all of them. */
async function fill(hub) {
	const at = new Date(Date.now() - 3_600_000).toISOString(), begin = now();
	await receive_all(hub, count, sku, ON_HAND);
	const filled = now() - begin;
	for (let quiet = 0; quiet < 5; await pause(200)) /* one delivery follows another, with a pause between */
		quiet = (await hub.read("/v1/systems/shop")).backlog > 0 ? 0 : quiet + 1;
	const lines = [];
	for (let i = 0; i < 20_000; i++)
		lines.push(JSON.stringify({
			channel: "shop", external_id: "o-b@@@@@@@@@@@@", placed_at: at, currency: "GBP", customer: { external_id: "C1" },
			lines: [0, 1, 2].map((n) => ({ line_id: String(n + 1), sku: sku((i * 7919 + n * 104_729) % count), quantity: "1", uom: "EA", unit_price: "2.55" })),
		}));
	writeFileSync(`${WORK}/reconcile.ndjson`, `${lines.join("\n")}\n`);
	return filled;
}

const orders = (hub, for_seconds) => load(hub, "/v1/orders", `${WORK}/reconcile.ndjson`,
	["--connections", "16", "--rate", String(RATE), "--seconds", String(for_seconds), "--warm-up", "0.5"]);

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
		cores: (cpu(pid) - used) / 1e6 / took, memory_before_mb: before, memory_peak_mb: peak };
}

const shop = await sink(), wms = await warehouse();
const hub = await serve(made(shop.url, `http://127.0.0.1:${wms.address().port}`));
const fill_seconds = await fill(hub);
const later = now() + later_s; /* what was booked in the minute before is looked at, and a million items are not booked in a minute */
const without = await orders(hub, seconds);
await pause(Math.max(0, later - now()) * 1000);
const alone = await reconcile(hub);
const taking = orders(hub, Math.max(1, alone.seconds));
await pause(500);
const beside = await reconcile(hub);
const during = await taking;
await stop(hub.child);
await stop(shop.child);
const taken = (r) => ({ rate: r.rate, p50_us: r.p50_us, p99_us: r.p99_us, max_us: r.max_us, sent: r.sent, acknowledged: r.acknowledged });
tell({ items: count, wanted: Math.ceil(count / DIFFERENT), fill_seconds, alone, beside, orders_without: taken(without), orders_during: taken(during) });
process.exit(0);
