/*
 * The server is killed, again and again, while it works; afterwards nothing that it acknowledged is lost and nothing has
 * happened twice.
 *
 *     CROSSDOCK=build/dev/crossdock node --test tests/crash/kill.test.mjs
 *
 * Shops, an ERP and a warehouse live in this process, so they survive. The ERP and the warehouse remember every
 * Idempotency-Key and count effects; answers get lost on the way now and then. Clients send orders, movements and
 * reservations and repeat what was not answered, with the same keys. The server is killed with SIGKILL when the Nth request of
 * a kind comes by, before or after its effect: N and the kind come from a seed, which is printed. CRASH_SEED repeats the
 * choices (not the timing), CRASH_MINUTES=N makes it a soak. With CROSSDOCK_TEST_PG (tools/with-postgres) the same runs over
 * PostgreSQL, whose server is killed as well.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { createKey, folder, freePort, program, root, until } from "../e2e/harness.mjs";

const SKUS = Array.from({ length: 12 }, (_, i) => `SKU-${i}`);
const CLIENTS = 6;
const DRAIN_MS = 120_000;
const minutes = Number(process.env.CRASH_MINUTES ?? 0);
const SHORT = { rounds: 12, ms: 60_000 };

/* mulberry32: a small generator, so that choices repeat. */
function generator(seed) {
	let a = seed >>> 0;
	const next = () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), a | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	return { chance: (p) => next() < p, int: (n) => Math.floor(next() * n), pick: (list) => list[Math.floor(next() * list.length)] };
}

const turn = (ms = 20) => new Promise((done) => setTimeout(done, ms)); /* between two looks at a condition */

/* ---- the server under test ---- */

class Server {
	constructor(dir, port) {
		this.dir = dir;
		this.port = port;
		this.url = `http://127.0.0.1:${port}`;
		this.log = "";
		this.kills = 0;
	}

	async start() {
		this.child = spawn(program, ["serve", this.dir, "--listen", `127.0.0.1:${this.port}`], {
			stdio: ["ignore", "ignore", "pipe"],
			env: { CROSSDOCK_SHARE: root, ...process.env },
		});
		this.child.stderr.on("data", (part) => {
			this.log = (this.log + part).slice(-200_000);
			const report = /ERROR: \w+Sanitizer|runtime error:|Assertion .* failed/.exec(this.log);
			if (report)
				this.report ??= this.log.slice(report.index, report.index + 6000);
		});
		this.ended = once(this.child, "exit");
		await until("the server is ready", async () => {
			assert.equal(this.child.exitCode, null, this.log.slice(-3000));
			return (await fetch(`${this.url}/readyz`)).ok;
		}, 60_000);
		this.up = true;
	}

	/* Now: whatever it is doing. */
	kill() {
		this.up = false;
		this.kills++;
		this.child.kill("SIGKILL");
	}

	async stop() {
		this.up = false;
		this.child.kill("SIGTERM");
		const [code, signal] = await this.ended;
		assert.equal(code, 0, `ended with ${signal ?? code}: ${this.log.slice(-3000)}`);
	}

	/* The answer, or nothing if there was none: then nobody knows what happened. */
	async call(method, path, { body, headers = {}, sent = () => {} } = {}) {
		try {
			const answer = fetch(this.url + path, {
				method,
				headers: { authorization: `Bearer ${this.key}`, ...(body ? { "content-type": "application/json" } : {}), ...headers },
				body: body && JSON.stringify(body),
				signal: AbortSignal.timeout(30_000),
			});
			sent();
			const response = await answer;
			const text = await response.text();
			return { status: response.status, json: text ? JSON.parse(text) : undefined, replayed: response.headers.has("idempotency-replayed") };
		} catch {
			return undefined;
		}
	}

	/* As a good client does: the same request until it is answered. */
	async persist(world, method, path, request) {
		for (;;) {
			world.retried += request.tries ? 1 : 0;
			request.tries = (request.tries ?? 0) + 1;
			const answer = await this.call(method, path, { ...request, sent: () => world.passes("request") });
			if (answer && answer.status < 500 && answer.status !== 429)
				return answer;
			await until("the server is back", () => this.up || world.failed, 90_000);
			await turn();
			if (world.failed)
				throw world.failed;
		}
	}

	async read(path) {
		const answer = await this.call("GET", path);
		assert.equal(answer?.status, 200, `${path}: ${JSON.stringify(answer)}`);
		return answer.json;
	}

	async all(path) {
		const items = [];
		let cursor = "";
		do {
			const page = await this.read(`${path}${path.includes("?") ? "&" : "?"}limit=1000${cursor && `&cursor=${cursor}`}`);
			items.push(...page.items);
			cursor = page.next_cursor ? encodeURIComponent(page.next_cursor) : "";
		} while (cursor);
		return items;
	}
}

/* ---- the systems around it ---- */

/* One effect for each Idempotency-Key; a repeat gets the first answer. Answers get lost, before or after the effect. */
class System {
	constructor(world, name, effect, lookup) {
		Object.assign(this, { world, name, effect, lookup, answers: new Map(), repeats: 0 });
	}

	async start(t) {
		this.server = http.createServer((request, response) => this.take(request, response));
		this.server.keepAliveTimeout = 0;
		await once(this.server.listen(0, "127.0.0.1"), "listening");
		this.url = `http://127.0.0.1:${this.server.address().port}`;
		t.after(() => {
			this.server.closeAllConnections?.();
			this.server.close();
		});
	}

	async take(request, response) {
		const parts = [];
		try {
			for await (const part of request)
				parts.push(part);
		} catch {
			return; /* the server was killed while it was sending: there is no request */
		}
		const path = new URL(request.url, this.url);
		const answer = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
		if (request.method === "GET")
			return answer(200, { items: this.lookup?.(path.searchParams.get("order_id")) ?? [] });
		const { random, calm } = this.world;
		const key = request.headers["idempotency-key"];
		if (!calm && random.chance(0.03))
			return answer(500, {});
		this.world.passes(`${this.name} before`);
		if (this.answers.has(key))
			this.repeats++;
		else
			this.answers.set(key, this.effect(path.pathname, JSON.parse(Buffer.concat(parts)), key) ?? {});
		this.world.passes(`${this.name} after`);
		if (!calm && random.chance(0.03))
			return request.socket.destroy();
		return answer(200, this.answers.get(key));
	}
}

class World {
	constructor(seed) {
		this.seed = seed;
		this.random = generator(seed);
		this.calm = false;
		this.retried = 0;
		this.counts = {};
		this.orders = new Map(); /* external id -> what was answered */
		this.movements = new Map(); /* source event id -> what was answered */
		this.cancelled = new Set();
		this.onHand = Object.fromEntries(SKUS.map((sku) => [sku, 0]));
		this.posted = new Map(); /* ERP: order id -> the keys it came with */
		this.shipments = new Map(); /* warehouse: shipment id -> {document, done} */
		this.shown = { shop: new Map(), portal: new Map() };
		this.erp = new System(this, "erp", (path, body, key) => this.atErp(path, body, key), (id) => (this.posted.get(id) ?? []).map((k) => ({ external_id: `E-${k}` })));
		this.wms = new System(this, "wms", (path, body, key) => this.atWarehouse(path, body, key), (id) => [...this.shipments.values()].filter((s) => s.document.order_id === id).map((s) => ({ external_id: s.document.shipment_id })));
		this.shop = new System(this, "shop", (path, body) => this.atChannel("shop", path, body));
		this.portal = new System(this, "portal", (path, body) => this.atChannel("portal", path, body));
	}

	/* Something of this kind comes by; the server dies of the one that was chosen. */
	passes(kind) {
		if (this.armed?.kind !== kind || --this.armed.n > 0)
			return;
		this.armed = undefined;
		this.server.kill();
	}

	atErp(path, body, key) {
		if (path === "/orders") {
			this.posted.set(body.order_id, [...(this.posted.get(body.order_id) ?? []), key]);
			return { external_id: `E-${key}` };
		}
		return {};
	}

	atWarehouse(path, body, key) {
		const { order_id, lines } = body;
		const shipment_id = `S-${key}`;
		const document = { shipment_id, source: "wms", order_id, shipped_at: new Date().toISOString(), lines: lines.map(({ line_id, sku, location, quantity }) => ({ line_id, sku, location, quantity })) };
		this.shipments.set(shipment_id, { document, done: false });
		return { external_id: shipment_id };
	}

	atChannel(name, path, body) {
		if (path !== "/availability")
			return {};
		for (const { sku, available, version } of body.items) {
			const had = this.shown[name].get(sku);
			if (!had || had.version < version)
				this.shown[name].set(sku, { available, version });
		}
		return {};
	}

	configuration(store) {
		const delivery = "retry_base: 20ms, retry_max: 200ms, confirm_after: 100ms";
		return `listen: 127.0.0.1:0
store: ${store}
tenants:
  acme:
    locations: {east: {}, west: {}}
    delivery: {${delivery}}
    systems:
      shop: {connector: canonical, url: "${this.shop.url}", roles: [channel]}
      portal: {connector: canonical, url: "${this.portal.url}", roles: [channel]}
      erp: {connector: canonical, url: "${this.erp.url}", roles: [erp]}
      wms: {connector: canonical, url: "${this.wms.url}", roles: [warehouse], locations: [east, west]}
    channels:
      shop: {locations: [east, west]}
      portal: {locations: [east], share: 50%, buffer: "1", cap: "100"}
    records: {stock: wms}
    processes: {order: order-to-cash}
`;
	}

	count(what) {
		this.counts[what] = (this.counts[what] ?? 0) + 1;
	}
}

/* ---- clients ---- */

async function sendOrder(world, random, id) {
	const channel = random.pick(["shop", "portal"]);
	const lines = Array.from({ length: 1 + random.int(3) }, (_, i) => ({ line_id: `${i + 1}`, sku: random.pick(SKUS), quantity: `${1 + random.int(3)}`, uom: "EA", unit_price: "2.55" }));
	const body = { channel, external_id: id, placed_at: new Date().toISOString(), currency: "GBP", customer: { external_id: "C1" }, lines };
	const request = { body, headers: random.chance(0.5) ? { "idempotency-key": `order-${id}` } : {} };
	const answer = await world.server.persist(world, "POST", "/v1/orders", request);
	assert.equal(answer.status, 202, JSON.stringify(answer));
	world.orders.set(id, { channel, order_id: answer.json.order_id });
	world.count("orders");
	if (random.chance(0.2)) {
		const again = await world.server.persist(world, "POST", "/v1/orders", request);
		assert.equal(again.json.order_id, answer.json.order_id);
		assert.ok(again.replayed);
		world.count("repeated orders");
	}
	if (random.chance(0.1)) {
		const cancel = await world.server.persist(world, "POST", `/v1/orders/${answer.json.order_id}/cancel`, {});
		assert.ok([200, 409].includes(cancel.status), JSON.stringify(cancel));
		if (cancel.status === 200) {
			world.cancelled.add(id);
			world.count("cancellations");
		}
	}
}

async function sendMovement(world, random, id) {
	const items = Array.from({ length: random.chance(0.3) ? 3 : 1 }, (_, i) => ({
		source: "wms", source_event_id: `${id}-${i}`, type: "receive", occurred_at: new Date().toISOString(),
		lines: [{ sku: random.pick(SKUS), location: random.pick(["east", "west"]), quantity: `${2 + random.int(8)}` }],
	}));
	const answer = await world.server.persist(world, "POST", "/v1/stock/movements", {
		body: items.length > 1 ? { items } : items[0],
		headers: random.chance(0.3) ? { "idempotency-key": `movement-${id}` } : {},
	});
	assert.equal(answer.status, 200, JSON.stringify(answer));
	for (const [i, item] of items.entries()) {
		const { movement_id } = items.length > 1 ? answer.json.items[i] : answer.json;
		assert.ok(movement_id, JSON.stringify(answer));
		world.movements.set(item.source_event_id, { movement_id, sku: item.lines[0].sku });
		world.onHand[item.lines[0].sku] += Number(item.lines[0].quantity);
		world.count("movements");
	}
}

async function sendReservation(world, random, id) {
	const named = random.chance(0.5);
	const body = { channel: random.pick(["shop", "portal"]), ttl_s: 1 + random.int(3), lines: [{ sku: random.pick(SKUS), quantity: "1" }] };
	const answer = await world.server.persist(world, "POST", "/v1/reservations", { body: named ? { reservation_id: id, ...body } : body, headers: { "idempotency-key": `hold-${id}` } });
	assert.ok([201, 409].includes(answer.status), JSON.stringify(answer));
	world.count(answer.status === 201 ? "reservations" : "refused reservations");
	if (answer.status !== 201 || random.chance(0.3))
		return;
	const end = await world.server.persist(world, "DELETE", `/v1/reservations/${answer.json.reservation_id}`, {});
	assert.equal(end.status, 200, JSON.stringify(end));
}

async function client(world, number) {
	const random = generator(world.seed + number + 1);
	for (let i = 0; !world.enough; i++) {
		const send = random.chance(0.45) ? sendOrder : random.chance(0.6) ? sendMovement : sendReservation;
		await send(world, random, `${number}-${i}`);
	}
}

/* The warehouse ships what it was asked for, and says so until it is acknowledged; sometimes once more. */
async function warehouse(world) {
	const random = generator(world.seed + 100);
	while (!world.closed && !world.failed) {
		for (const s of [...world.shipments.values()].filter((o) => !o.done)) {
			const answer = await world.server.persist(world, "POST", "/in/acme/wms/shipment", { body: s.document });
			assert.equal(answer.status, 202, JSON.stringify(answer));
			s.done = true;
			for (const line of s.document.lines)
				world.onHand[line.sku] -= Number(line.quantity);
			world.count("shipments");
			if (random.chance(0.2))
				await world.server.persist(world, "POST", "/in/acme/wms/shipment", { body: s.document });
		}
		await turn();
	}
}

/* ---- rounds ---- */

const KINDS = ["request", "request", "erp before", "erp after", "wms before", "wms after", "shop before", "shop after"];

async function rounds(world, { rounds: most, ms }, during) {
	const { random, server } = world;
	const deadline = performance.now() + ms;
	let round = 0;
	for (; round < most && performance.now() < deadline; round++) {
		const kind = random.pick(KINDS);
		world.armed = { kind, n: 1 + random.int(kind === "request" ? 150 : 40) };
		await until(`round ${round}: the server dies of ${kind}`, () => !server.up || world.failed, 30_000);
		if (world.failed)
			throw world.failed;
		await server.ended;
		await server.start();
		await during?.(round);
	}
	return round;
}

async function drain(world) {
	const { server } = world;
	let before;
	world.calm = true;
	await until("everything has come to its end", async () => {
		if ([...world.shipments.values()].some((s) => !s.done))
			throw new Error("shipments are under way");
		for (const status of ["waiting", "sending", "unknown"]) {
			const open = await server.read(`/v1/deliveries?status=${status}&limit=1`);
			if (open.items.length > 0)
				throw new Error(`${status}: ${JSON.stringify(open.items[0])}`);
		}
		const { position } = await server.read("/v1/overview");
		const quiet = position === before;
		before = position;
		if (!quiet)
			throw new Error("the log still grows");
		for (const sku of SKUS) {
			const { totals } = await server.read(`/v1/stock/${sku}`);
			if (totals.held !== "0")
				throw new Error(`${sku} is held`);
		}
		return true;
	}, DRAIN_MS);
}

/* ---- what must be true afterwards ---- */

async function checkOrders(world) {
	const { server } = world;
	const all = await server.all("/v1/orders");
	assert.equal(all.length, world.orders.size, "orders there are, and orders that were acknowledged");
	for (const [id, { channel, order_id }] of world.orders) {
		const { items } = await server.read(`/v1/orders?channel=${channel}&external_id=${id}`);
		assert.deepEqual(items.map((o) => o.order_id), [order_id], `order ${id}`);
		assert.equal(items[0].status === "cancelled", world.cancelled.has(id), `order ${id} is ${items[0].status}`);
		const keys = world.posted.get(order_id) ?? [];
		assert.ok(keys.length === 1 || (keys.length === 0 && world.cancelled.has(id)), `order ${id} is at the ERP ${keys.length} times`);
	}
	for (const order_id of world.posted.keys())
		assert.ok(all.some((o) => o.order_id === order_id), `the ERP has ${order_id}, we do not`);
}

async function checkStock(world) {
	const { server } = world;
	const seen = new Map();
	for (const sku of SKUS) {
		for (const m of await server.all(`/v1/stock/${sku}/movements`)) {
			const key = `${m.source}/${m.source_event_id}`;
			if (m.source_event_id)
				seen.set(key, (seen.get(key) ?? new Set()).add(m.movement_id));
		}
		assert.equal(Number((await server.read(`/v1/stock/${sku}`)).on_hand), world.onHand[sku], `on hand of ${sku}`);
		for (const channel of ["shop", "portal"]) {
			const { items } = await server.read(`/v1/availability?channel=${channel}&sku=${sku}`);
			assert.equal(world.shown[channel].get(sku)?.available, items[0].available, `what ${channel} shows of ${sku}`);
		}
	}
	for (const [id, { movement_id }] of world.movements)
		assert.deepEqual([...(seen.get(`wms/${id}`) ?? [])], [movement_id], `movement ${id}`);
	for (const id of world.shipments.keys())
		assert.equal(seen.get(`wms/${id}`)?.size, 1, `shipment ${id}`);
}

async function checkDeliveries(world) {
	const { server } = world;
	const all = await server.all("/v1/deliveries");
	const final = new Map(all.map((d) => [d.delivery_id, d.status]));
	assert.equal(final.size, all.length);
	for (const d of all)
		assert.ok(["delivered", "superseded", "cancelled"].includes(d.status), JSON.stringify(d));
	for (const system of [world.erp, world.wms, world.shop, world.portal])
		for (const key of system.answers.keys()) {
			const first = key.replace(/\.\d+\.\d+$/, ""); /* a batch is named after its first delivery */
			assert.ok(["delivered", "superseded"].includes(final.get(first)), `${system.name} got ${key}: ${final.get(first)}`);
		}
	for (const d of all.filter((o, i) => o.status === "delivered" && i % Math.ceil(all.length / 200) === 0)) {
		const { attempts } = await server.read(`/v1/deliveries/${d.delivery_id}`);
		assert.equal(attempts.filter((a) => a.outcome === "delivered").length, 1, JSON.stringify(attempts));
	}
	assert.deepEqual((await server.read("/v1/dead-letters")).items, []);
	return all.length;
}

async function checkEvents(world) {
	const RANK = ["captured", "on_hold", "backordered", "reserved", "accepted", "released", "partially_shipped", "shipped", "cancelled"];
	const { server } = world;
	const stages = new Map();
	const ids = new Set();
	let position = 0;
	for (let page; (page = await server.read(`/v1/events?after=${position}&limit=1000`)).items.length > 0;) {
		for (const e of page.items) {
			assert.equal(e.position, position + 1, "positions have no gap");
			position = e.position;
			ids.add(e.id);
			if (e.type.startsWith("order."))
				stages.set(e.subject, [...(stages.get(e.subject) ?? []), RANK.indexOf(e.type.slice(6))]);
		}
	}
	assert.equal(ids.size, position, "ids are unique");
	for (const [order, list] of stages) {
		assert.equal(list.filter((s) => s === 0).length, 1, `order ${order} was captured once`);
		for (const [i, stage] of list.entries())
			assert.ok(stage >= 0 && (i === 0 || stage > list[i - 1]), `order ${order}: ${list.map((s) => RANK[s])}`);
	}
	return position;
}

async function checkAll(world) {
	const audit = await world.server.read("/v1/audit");
	assert.ok(audit.ok, JSON.stringify(audit.checks.filter((c) => !c.ok)));
	await checkOrders(world);
	await checkStock(world);
	const deliveries = await checkDeliveries(world);
	const events = await checkEvents(world);
	const kinds = (await world.server.all("/v1/exceptions")).map((e) => e.kind).filter((kind) => kind !== "backordered" && kind !== "unknown_item");
	assert.deepEqual(kinds, []);
	return { deliveries, events };
}

async function crash(t, store, limits, during) {
	const world = new World(Number(process.env.CRASH_SEED ?? randomInt(2 ** 31)));
	const dir = folder(t);
	t.diagnostic(`CRASH_SEED=${world.seed}`);
	for (const system of [world.erp, world.wms, world.shop, world.portal])
		await system.start(t);
	writeFileSync(join(dir, "crossdock.yaml"), world.configuration(store));
	const server = (world.server = new Server(dir, await freePort()));
	t.after(() => server.child?.kill("SIGKILL"));
	await server.start();
	server.key = createKey(dir);
	const fail = (e) => {
		if (!world.failed)
			t.diagnostic(`the server's last words: ${server.log.slice(-3000)}`);
		world.failed ??= e;
	};
	const clients = Array.from({ length: CLIENTS }, (_, i) => client(world, i).catch(fail));
	const shipping = warehouse(world).catch(fail);
	const done = await rounds(world, limits, during).catch(fail);
	world.enough = true;
	await Promise.all(clients);
	if (world.failed)
		throw world.failed;
	/* Stock for all that still waits, so that every order comes to its end. */
	for (const sku of SKUS) {
		const short = { source: "wms", source_event_id: `last-${sku}`, type: "receive", occurred_at: new Date().toISOString(), lines: [{ sku, location: "east", quantity: "100000" }] };
		const answer = await server.persist(world, "POST", "/v1/stock/movements", { body: short });
		world.movements.set(short.source_event_id, { movement_id: answer.json.movement_id, sku });
		world.onHand[sku] += 100000;
	}
	await drain(world);
	world.closed = true;
	await shipping;
	const { deliveries, events } = await checkAll(world);
	await server.stop();
	assert.equal(server.report, undefined, server.report);
	const repeats = [world.erp, world.wms, world.shop, world.portal].reduce((sum, s) => sum + s.repeats, 0);
	t.diagnostic(`${done} rounds, ${server.kills} kills; ${JSON.stringify(world.counts)}; ${world.retried} requests repeated, ` +
		`${repeats} deliveries repeated; ${deliveries} deliveries, ${events} events`);
	assert.ok(world.orders.size > done && world.movements.size > done, "there was work to do");
	assert.ok(world.retried > 0, "a kill has hit a request");
}

const limits = minutes ? { rounds: Infinity, ms: minutes * 60_000 } : SHORT;

test("SQLite: the server is killed while it works", { timeout: limits.ms + 300_000 }, (t) => crash(t, "sqlite", limits));

/* ---- PostgreSQL ---- */

const bin = (name, url) => join(dirname(readlinkSync(`/proc/${postmaster(url).pid}/exe`)), name);

function postmaster(url) {
	const folderOf = execFileSync(process.env.CROSSDOCK_PSQL ?? "psql", ["-Atc", "show data_directory", url], { encoding: "utf8" }).trim();
	return { pid: Number(readFileSync(join(folderOf, "postmaster.pid"), "utf8").split("\n")[0]) };
}

/* Kills PostgreSQL as a whole and starts it again as it was started. */
async function restartPostgres(t, url) {
	const { pid } = postmaster(url);
	const [command, ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	const id = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)[1]);
	const ready = bin("pg_isready", url);
	const as = process.getuid() === id("Uid") ? [] : [`--reuid=${id("Uid")}`, `--regid=${id("Gid")}`, "--clear-groups"];
	process.kill(pid, "SIGKILL");
	let child;
	t.after(async () => {
		child.kill("SIGINT");
		await once(child, "exit");
	});
	await until("PostgreSQL is back", async () => {
		/* The killed server's own processes may still hold its memory: it then refuses to start. */
		if (!child || child.exitCode !== null)
			child = spawn("setpriv", [...as, "--pdeathsig", "INT", command, ...args], { stdio: "ignore", cwd: "/" });
		execFileSync(ready, ["-q", "-d", url]);
		return true;
	}, 60_000);
}

const pg = process.env.CROSSDOCK_TEST_PG;

test("PostgreSQL: the server is killed while it works, and so is PostgreSQL", { timeout: limits.ms + 300_000, skip: pg ? false : "CROSSDOCK_TEST_PG is not set (tools/with-postgres)" }, (t) =>
	crash(t, pg, minutes ? limits : { rounds: 5, ms: 60_000 }, async (round) => {
		if (round === 2)
			await restartPostgres(t, pg);
	}));
