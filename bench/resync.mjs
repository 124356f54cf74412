// resync.mjs ITEMS SECONDS: a full resynchronisation of ITEMS x 4 channels beside live traffic; a line of JSON for bench/run.
//
// All items are on hand, and the channels know it. Live traffic is orders at 200/s through order-to-cash and movements that ship stock at
// 100/s, each of another item; first alone for SECONDS, then while every number of every channel is told anew: the server starts with
// a buffer of 1 in place of 0. Measured: from when an order was due to its request at the ERP, and from when a movement was due to the
// first request at a channel that says it. Afterwards every channel must have been told every number.
//
// BUILD: where the programs are; WORK: a folder. With `sink` as its argument this is the channels, a process of its own that only notes
// what comes and when, and reads it afterwards.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { fileURLToPath } from "node:url";
import { WORK, cpu, folder, keep, load, memory, now, pause, quantile, receive_all, serve, sink, stop, tell } from "./common.mjs";

const CHANNELS = ["shop", "portal", "market", "web"];
const ORDERS = 200, MOVEMENTS = 100; /* a second */
const ON_HAND = 1000, SHIPPED = 10, BUFFER = 1;
const BIG = 10_000; /* bytes: a request of the resynchronisation, not of live traffic alone */
const clock_ns = () => Number(process.hrtime.bigint()); /* CLOCK_MONOTONIC, as in bench_load */
const sku = (i) => `ITEM-${String(i).padStart(7, "0")}`;

// ---- the channels ----

function channels() {
	let noted = CHANNELS.map(() => []);
	const last_big = CHANNELS.map(() => 0), bytes = CHANNELS.map(() => 0);
	const servers = CHANNELS.map((_, c) => http.createServer((request, response) => {
		const parts = [];
		const at = clock_ns(); /* when its head had come */
		request.on("data", (part) => parts.push(part)).on("end", () => {
			response.end("{}");
			if (request.url !== "/availability") return;
			const body = Buffer.concat(parts);
			noted[c].push({ at, body });
			bytes[c] += body.length;
			if (body.length > BIG) last_big[c] = at;
		});
	}));
	/* What came of it: by channel when each of `live` was told, and when the last of all items was. */
	const judge = (count, most, live) => noted.map((requests) => {
		const wanted = new Map(live.map(({ sku, at_most }, i) => [sku, { i, at_most }])), arrived = live.map(() => 0), told = new Set();
		let done_ns = 0;
		for (const { at, body } of requests)
			for (const item of JSON.parse(body).items) {
				const number = Number(item.available), w = wanted.get(item.sku);
				if (w && !arrived[w.i] && number <= w.at_most) arrived[w.i] = at;
				if (number > most || told.has(item.sku)) continue;
				told.add(item.sku);
				done_ns = at;
			}
		return { arrived, requests: requests.length, told: told.size, missing: count - told.size, done_ns };
	});
	process.on("message", ({ verb, count, most, live }) => {
		if (verb === "look") process.send({ last_big, bytes });
		else if (verb === "forget") (noted = CHANNELS.map(() => [])), bytes.fill(0), last_big.fill(0), process.send({});
		else if (verb === "judge") process.send(judge(count, most, live));
	});
	process.on("disconnect", () => process.exit(0));
	return Promise.all(servers.map(async (s) => {
		await once(s.listen(0, "127.0.0.1"), "listening");
		return s.address().port;
	}));
}

// ---- the run ----

const configuration = (ports, other, buffer) => `listen: 127.0.0.1:0
store: sqlite
tenants:
  bench:
    locations: {east: {}}
    systems:
${CHANNELS.map((c, i) => `      ${c}: {connector: canonical, url: "http://127.0.0.1:${ports[i]}", roles: [channel]}`).join("\n")}
      erp: {connector: canonical, url: "${other}", roles: [erp]}
      wms: {connector: canonical, url: "${other}", roles: [warehouse], locations: [east]}
    channels: {${CHANNELS.map((c) => `${c}: {locations: [east], buffer: "${buffer}"}`).join(", ")}}
    records: {stock: wms}
    processes: {order: order-to-cash}
`;

/* Orders are of the second half of the items, movements of the first. */
function write_orders(count) {
	const half = Math.floor(count / 2), lines = [];
	for (let i = 0; i < 20_000; i++)
		lines.push(JSON.stringify({
			channel: "shop", external_id: "o-b@@@@@@@@@@@@", placed_at: new Date().toISOString(), currency: "GBP", customer: { external_id: "C1" },
			lines: [0, 1, 2].map((n) => ({ line_id: String(n + 1), sku: sku(half + ((i * 7919 + n * 104_729) % half)), quantity: "1", uom: "EA", unit_price: "2.55" })),
		}));
	writeFileSync(`${WORK}/resync.orders`, `${lines.join("\n")}\n`);
}
function write_movements(file, name, from, count) {
	const at = new Date().toISOString();
	writeFileSync(file, `${Array.from({ length: count }, (_, i) => JSON.stringify({ source: "wms", source_event_id: `${name}-${i}`, type: "ship", occurred_at: at,
		lines: [{ sku: sku(from + i), location: "east", quantity: String(SHIPPED) }] })).join("\n")}\n`);
}
/* [{due, arrived}] of a file of marks, in ns; what was not measured is 0. */
function read_marks(file, count) {
	const data = readFileSync(file), view = new BigInt64Array(data.buffer, data.byteOffset, count * 2);
	return Array.from({ length: count }, (_, i) => ({ due: Number(view[2 * i]), arrived: Number(view[2 * i + 1]) }));
}
function times(list, from, to) {
	const within = list.filter((m) => m.due && m.due >= from && m.due < to);
	const lag = within.filter((m) => m.arrived).map((m) => (m.arrived - m.due) / 1000).sort((a, b) => a - b);
	return { count: lag.length, missing: within.length - lag.length, p50_us: quantile(lag, 0.5), p99_us: quantile(lag, 0.99), max_us: lag.at(-1) };
}

async function main(count, seconds) {
	const target = keep(fork(fileURLToPath(import.meta.url), ["sink"], { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
	const ask = async (message) => {
		target.send(message);
		return (await once(target, "message"))[0];
	};
	const [{ ports }] = await once(target, "message");
	const quiet = async () => {
		let seen;
		do {
			await pause(500);
			seen = await ask({ verb: "look" });
		} while (seen.last_big.some((at) => !at || clock_ns() - at < 2e9));
	};
	write_orders(count);

	let at, movements_from = 0;
	/* Both kinds of traffic for a time; `until` says when what runs beside it is over. */
	const traffic = async (hub, erp, name, until) => {
		const wanted = Math.ceil(MOVEMENTS * seconds) + 1, file = `${WORK}/resync.${name}`, from = movements_from;
		write_movements(file, name, from, wanted);
		movements_from += wanted;
		const pid = hub.child.pid, used = cpu(pid), sink_used = cpu(target.pid), begin = now();
		let peak = memory(pid), over = false;
		const watching = (async () => {
			while (!over) (peak = Math.max(peak, memory(pid))), await pause(500);
		})();
		const rates = ["--seconds", String(seconds), "--warm-up", "0"];
		const runs = await Promise.all([
			load(hub, "/v1/orders", `${WORK}/resync.orders`, ["--connections", "16", "--rate", String(ORDERS), "--marks", erp.marks, ...rates]),
			load(hub, "/v1/stock/movements", file, ["--connections", "8", "--rate", String(MOVEMENTS), "--due", `${file}.marks`, ...rates]),
			until().then(() => (at = now())),
		]);
		over = true;
		await watching;
		const took = now() - begin;
		return { orders: runs[0], movements: runs[1], from, wanted, order_marks: erp.marks, marks: `${file}.marks`, peak,
			cores: (cpu(pid) - used) / 1e6 / took, sink_cores: (cpu(target.pid) - sink_used) / 1e6 / took };
	};
	/* Lags of what was due in [from, to). */
	const judged = async (t, buffer, from, to) => {
		const live = Array.from({ length: t.wanted }, (_, i) => ({ sku: sku(t.from + i), at_most: ON_HAND - SHIPPED - buffer }));
		const due = read_marks(t.marks, t.wanted).map((m) => m.due);
		const by_channel = await ask({ verb: "judge", count, most: ON_HAND - buffer, live });
		const end = to ?? Math.max(...by_channel.map((c) => c.done_ns));
		const told = by_channel.flatMap(({ arrived }) => arrived.map((a, i) => ({ due: due[i], arrived: a })));
		return { end_ns: end, missing_numbers: by_channel.reduce((n, c) => n + c.missing, 0), requests: by_channel.reduce((n, c) => n + c.requests, 0),
			orders: times(read_marks(t.order_marks, Math.ceil(ORDERS * seconds)), from, end), movements: times(told, from, end) };
	};
	const hub_with = async (made, erp, buffer) => {
		writeFileSync(`${made.dir}/crossdock.yaml`, configuration(ports, erp.url, buffer));
		return serve(made);
	};
	const erp_for = async (name) => {
		const marks = `${WORK}/resync.${name}.erp`;
		return { ...(await sink("--marks", marks)), marks };
	};
	const sent = (t) => ({ sent: t.orders.sent + t.movements.sent, acknowledged: t.orders.acknowledged + t.movements.acknowledged,
		load_cores: t.orders.load_cores + t.movements.load_cores, sink_cores: t.sink_cores, cores: t.cores, memory_mb: t.peak });

	let erp = await erp_for("without");
	const made = folder("resync", configuration(ports, erp.url, 0));
	let hub = await serve(made);
	await receive_all(hub, count, sku, ON_HAND);
	await quiet();
	await stop(hub.child); /* both phases begin with a start */
	hub = await hub_with(made, erp, 0);
	await ask({ verb: "forget" });
	const alone = await traffic(hub, erp, "without", () => pause(0));
	await pause(1000);
	const without = await judged(alone, 0, 1, Infinity);
	await stop(hub.child);
	await stop(erp.child);

	await ask({ verb: "forget" });
	erp = await erp_for("with");
	const start_ns = clock_ns();
	hub = await hub_with(made, erp, BUFFER);
	const beside = await traffic(hub, erp, "with", quiet);
	await pause(1000);
	const during = await judged(beside, BUFFER, 1);
	const { failed = 0, dead_letters = 0 } = await hub.read("/v1/overview");
	await stop(hub.child);
	await stop(erp.child);
	target.disconnect();
	const { end_ns, missing_numbers, requests, ...lags } = during;
	tell({ items: count, channels: CHANNELS.length, orders_per_s: ORDERS, movements_per_s: MOVEMENTS, seconds, start_ms: hub.start_ms,
		resync_s: (end_ns - start_ns) / 1e9 - hub.start_ms / 1000, requests, missing_numbers, failed, dead_letters,
		without: { orders: without.orders, movements: without.movements, ...sent(alone) }, during: { ...lags, ...sent(beside) } });
}

if (process.argv[2] === "sink") process.send({ ports: await channels() });
else {
	await main(...process.argv.slice(2).map(Number));
	process.exit(0);
}
