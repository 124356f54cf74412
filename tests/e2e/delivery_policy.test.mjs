/*
 * What the policies of the delivery engine do to a system: rates, breakers, priorities, batches, order per key, maintenance. Hours
 * pass by the test clock.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { order, root, until, world } from "./harness.mjs";

const HOUR = 3_600_000;
const names = ["shop", "erp", "wms"];

/* A world in which one system is delivered to in this way, with stock of A that everybody has heard of. */
async function policed(t, system, delivery, changes = {}) {
	const w = await world(t, names, { ...changes, systems: { [system]: { delivery: `{${delivery}}` } } });
	await w.hub.count({ A: "1000" });
	await until("the ERP has heard of the stock", async () => w.erp.of("/stock-transactions").length > 0 && (await idle(w.hub, "erp")));
	return w;
}

const idle = async (hub, system) => (await hub.read(`/v1/systems/${system}`)).backlog === 0;
const post = (hub, path) => hub.post(path, {});
const told = async (hub, type) => (await hub.events(0, type)).map((e) => e.data);

async function capture(hub, n) {
	const taken = [];
	for (let i = 0; i < n; i++)
		taken.push(await hub.capture(order({ A: "1" })));
	return taken;
}

let last = 0;
async function adjust(hub, quantity = "1") {
	const id = `adj-${++last}`;
	(await hub.post("/v1/stock/movements", { source: "wms", source_event_id: id, type: "adjust", occurred_at: new Date().toISOString(), lines: [{ sku: "A", location: "east", quantity }] })).expect(200);
	return id;
}

/* What the ERP was told of stock: the movements' own ids, request by request. */
const transactions = (erp) => erp.of("/stock-transactions").map((r) => r.json.items.map((i) => i.source_event_id));

async function deliveries(hub, system, operation) {
	const { items } = await hub.read(`/v1/deliveries?system=${system}&limit=1000`);
	return items.filter((d) => d.operation === operation);
}

/* n have come, the rest waits for a later time, and no request is under way. */
async function stopsAt(hub, peer, path, n, waiting) {
	await until(`${peer.name} has ${n} and the rest waits`, async () => {
		const s = await hub.read(`/v1/systems/${peer.name}`);
		return peer.of(path).length === n && s.waiting === waiting && s.in_flight === 0 && s.next_attempt_at;
	});
	assert.equal(peer.of(path).length, n);
}

test("a rate is kept, with its burst", async (t) => {
	const { hub, wms } = await policed(t, "wms", "rate: 1/h, burst: 2");
	await capture(hub, 5);
	await stopsAt(hub, wms, "/shipment-requests", 2, 3);
	await hub.advance(HOUR);
	await stopsAt(hub, wms, "/shipment-requests", 3, 2);
	await hub.advance(10 * HOUR);
	await until("the rest", () => wms.of("/shipment-requests").length === 5);
	await until("both are in what the system had in the last minute", async () => (await hub.read("/v1/systems/wms")).rates.requests_per_minute >= 2);
});

/* The canonical connector, but an answer to a shipment request says what it cost. */
function counting() {
	const file = (name) => readFileSync(join(root, "connectors/canonical", name), "utf8");
	const told = "answer: {external_id: /external_id}", yaml = file("connector.yaml").replace("connector: canonical", "connector: counting");
	const at = yaml.indexOf(told, yaml.indexOf("shipment.request:"));
	return {
		"connector.yaml": yaml.slice(0, at) + "answer: {external_id: /external_id, map: in.counted}" + yaml.slice(at + told.length),
		"in.lua": `${file("in.lua")}\nfunction counted(answer)\n\treturn {cost = opt(answer.body, "cost")}\nend\n`,
		"out.lua": file("out.lua"),
	};
}

test("points are kept over a kill: what there may be left is not guessed", async (t) => {
	const { hub, wms } = await world(t, names, { packs: { counting: counting() }, systems: { wms: { connector: "counting", delivery: "{slots: 4}" } } });
	let available = 900;
	wms.handler = (r) => (r.method === "POST" ? { status: 201, body: { external_id: r.key, cost: { requested: "100", available: String(available), maximum: "1000", restore_rate: "0.1" } } } : undefined);
	await hub.count({ A: "1000" });
	const [first] = await capture(hub, 1);
	await hub.orderIs(first.order_id, "released");
	await hub.kill();
	await hub.start();
	await capture(hub, 3);
	/* for what one costs 1,000 s have to pass */
	await stopsAt(hub, wms, "/shipment-requests", 1, 3);
	available = 0;
	await hub.advance(HOUR / 3);
	await stopsAt(hub, wms, "/shipment-requests", 2, 2);
	available = 900;
	await hub.advance(HOUR);
	await until("the rest", () => wms.of("/shipment-requests").length === 4);
	await until("nothing waits", () => idle(hub, "wms"));
	await hub.audit();
});

test("RateLimit and Retry-After are obeyed, a date as well", async (t) => {
	const { hub, wms } = await policed(t, "wms", "slots: 1");
	const says = [
		{ status: 201, body: { external_id: "1" }, headers: { ratelimit: '"default";r=0;t=3600', "ratelimit-policy": '"default";q=10;w=3600' } },
		{ status: 201, body: { external_id: "2" }, headers: { "ratelimit-remaining": "0", "ratelimit-reset": "3600" } },
		() => ({ status: 429, headers: { "retry-after": new Date(Date.now() + 5 * HOUR).toUTCString() } }),
	];
	wms.handler = (r) => {
		const say = r.method === "POST" ? says.shift() : undefined;
		return typeof say === "function" ? say() : say;
	};
	await capture(hub, 3);
	await stopsAt(hub, wms, "/shipment-requests", 1, 2);
	await hub.advance(HOUR);
	await stopsAt(hub, wms, "/shipment-requests", 2, 1);
	await hub.advance(HOUR);
	/* by now the server's clock is two hours ahead: the date is three hours away, and one is the most that is waited */
	await stopsAt(hub, wms, "/shipment-requests", 3, 1);
	await hub.advance(HOUR);
	await until("the third again", () => wms.of("/shipment-requests").length === 4);
	assert.equal(wms.requests.at(-1).key, wms.requests.at(-2).key);
});

test("what waits for a slot waits, whatever is prepared", async (t) => {
	const { hub, wms } = await policed(t, "wms", "slots: 1");
	const held = [];
	wms.handler = (r) => (r.method === "POST" ? new Promise((done) => held.push(() => done(undefined))) : undefined);
	await capture(hub, 4);
	const of = async (status) => (await hub.read(`/v1/deliveries?system=wms&status=${status}`)).items;
	/* the first is under way, two are prepared, one is not */
	await until("three are prepared", async () => (await hub.read("/v1/systems/wms")).in_flight === 3 && held.length === 1);
	await until("all have a state", async () => (await of("sending")).length === 1 && (await of("waiting")).length === 3);
	const [sending] = await of("sending");
	assert.deepEqual([sending.attempts_made, sending.next_at], [1, undefined]);
	for (const d of await of("waiting")) {
		const one = await hub.read(`/v1/deliveries/${d.delivery_id}`);
		assert.deepEqual([one.status, one.attempts_made, one.attempts.length], ["waiting", 0, 0]);
		assert.ok(Date.parse(one.next_at) >= Date.parse(one.created_at), one.next_at);
	}
	assert.equal(wms.of("/shipment-requests").length, 1);
	for (let n = 1; n <= 4; n++) {
		await until(`${n} are under way`, () => held.length === n);
		held[n - 1]();
	}
	await until("nothing waits", () => idle(hub, "wms"));
	await hub.audit();
});

test("an operation that fails is stopped by its breaker, the others go on", async (t) => {
	const { hub, erp } = await policed(t, "erp", "breaker: {samples: 4, failures: 50%, open: 1h, probes: 1}");
	erp.handler = (r) => (r.path === "/stock-transactions" ? { status: 500 } : undefined);
	await adjust(hub);
	const open = await until("it is open", async () => {
		const s = await hub.read("/v1/systems/erp");
		return s.breakers["stock.transactions"] === "open" && s;
	});
	assert.deepEqual(Object.keys(open.breakers), ["stock.transactions"]);
	const failed = erp.of("/stock-transactions").length;
	const [o] = await capture(hub, 1);
	await hub.orderIs(o.order_id, "released");
	assert.equal(erp.of("/stock-transactions").length, failed);
	erp.handler = undefined;
	await hub.advance(HOUR);
	await until("it is closed", async () => (await told(hub, "delivery.breaker_closed")).length === 1);
	const [opened] = await told(hub, "delivery.breaker_opened");
	assert.deepEqual([opened.system, opened.operation, opened.failures >= 2], ["erp", "stock.transactions", true]);
	assert.equal((await told(hub, "delivery.breaker_half_open")).length, 1);
	await until("nothing waits", () => idle(hub, "erp"));
	assert.equal(erp.of("/stock-transactions").length, failed + 1);
	assert.deepEqual((await hub.read("/v1/systems/erp")).breakers, {});
});

test("what is urgent goes before a backlog, also one that is not in memory", async (t) => {
	const bulk = ["order.post", "order.cancel", "shipment.request", "order.status", "shipment"].map((op) => `${op}: {priority: bulk}`);
	const { hub, erp } = await policed(t, "erp", `slots: 1, queue: 5, operations: {${bulk.join(", ")}, stock.transactions: {priority: expedited, batch: {count: 1}}}`);
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	const taken = await capture(hub, 30);
	await until("they wait", async () => (await hub.read("/v1/systems/erp")).backlog === 30);
	const before = erp.requests.length;
	await adjust(hub);
	await until("it waits with them", async () => (await hub.read("/v1/systems/erp")).backlog === 31);
	/* Which of those that are prepared together is ready first is the workers' to say: nothing is answered until they all are begun. */
	let answer;
	erp.handler = () => (answer ? undefined : new Promise((done) => (answer = () => done(undefined))));
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("it is prepared with two others, more than the slot takes", async () => answer && (await hub.read("/v1/systems/erp")).in_flight === 3);
	answer();
	for (const o of taken)
		await hub.orderIs(o.order_id, "released");
	const sent = erp.requests.slice(before), few = 10;
	const place = sent.findIndex((r) => r.path === "/stock-transactions");
	assert.ok(place >= 0 && place < 3, `it came as number ${place + 1} of ${sent.length}`);
	/* the backlog goes from its beginning; its orders are of different keys, and a few may be prepared before another */
	const came = sent.filter((r) => r.path === "/orders").map((r) => r.json.order_id);
	assert.deepEqual(came.toSorted(), taken.map((o) => o.order_id).toSorted());
	for (const [i, o] of taken.entries())
		assert.ok(Math.abs(came.indexOf(o.order_id) - i) < few, `order ${i + 1} came as number ${came.indexOf(o.order_id) + 1}`);
});

test("several stock transactions go in one request, and each has its own end", async (t) => {
	const { hub, erp } = await policed(t, "erp", "slots: 4");
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	const ids = [await adjust(hub), await adjust(hub, "-1"), await adjust(hub)];
	erp.handler = (r) => (r.path === "/stock-transactions" ? { status: 207, body: { items: [{ movement_id: r.json.items[1].movement_id, status: 422, detail: "the period is closed" }] } } : undefined);
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("nothing waits", () => idle(hub, "erp"));
	assert.deepEqual(transactions(erp).at(-1), ids);
	const mine = (await deliveries(hub, "erp", "stock.transactions")).slice(0, 3).reverse();
	assert.deepEqual(mine.map((d) => d.status), ["delivered", "dead_letter", "delivered"]);
	const { items } = await hub.read("/v1/exceptions");
	assert.deepEqual(items.map((e) => [e.kind, e.detail]), [["delivery_refused", "the period is closed"]]);
	await hub.audit();
});

test("a batch that is refused as a whole is sent one by one", async (t) => {
	const { hub, erp } = await policed(t, "erp", "slots: 4");
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	const ids = [await adjust(hub), await adjust(hub), await adjust(hub)];
	const bad = (r) => r.json.items.some((i) => i.source_event_id === ids[1]);
	erp.handler = (r) => (r.path === "/stock-transactions" && bad(r) ? { status: 422, body: { detail: "no such item" } } : undefined);
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("nothing waits", () => idle(hub, "erp"));
	assert.deepEqual(transactions(erp).slice(-4), [ids, [ids[0]], [ids[1]], [ids[2]]]);
	assert.equal((await hub.read("/v1/exceptions")).items.length, 1);
	await hub.audit();
});

test("a batch without an answer is sent again as it was, also after a kill", async (t) => {
	const { hub, erp } = await policed(t, "erp", "slots: 4, timeout: 60s");
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	const ids = [await adjust(hub), await adjust(hub)];
	let lost = 0;
	erp.handler = (r) => (r.path !== "/stock-transactions" ? undefined : ++lost === 1 ? "lose" : lost === 2 ? new Promise(() => {}) : undefined);
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("it came twice", () => lost === 2);
	await hub.kill();
	await hub.start();
	await adjust(hub);
	await until("nothing waits", () => idle(hub, "erp"));
	const mine = erp.of("/stock-transactions").filter((r) => r.json.items.some((i) => ids.includes(i.source_event_id)));
	assert.equal(mine.length, 3);
	assert.deepEqual(mine[0].json.items.map((i) => i.source_event_id), ids);
	for (const r of mine)
		assert.deepEqual([r.key, r.text], [mine[0].key, mine[0].text]);
	/* the request is named after its first delivery, and each item says which is its own */
	const own = mine[0].json.items.map((i) => i.delivery_id);
	assert.match(mine[0].key, new RegExp(`^${own[0]}\\.\\d+\\.\\d+$`));
	const known = (await deliveries(hub, "erp", "stock.transactions")).map((d) => d.delivery_id);
	assert.ok(own[0] !== own[1] && own.every((id) => known.includes(id)), own.join());
	await hub.audit();
});

test("what is prepared and waits for its slot is cancelled, and nothing of it is sent", async (t) => {
	const { hub, erp } = await policed(t, "erp", "slots: 1");
	const held = [];
	erp.handler = (r) => (r.path === "/orders" ? new Promise((done) => held.push(() => done(undefined))) : undefined);
	const taken = await capture(hub, 5);
	await until("one is under way", () => held.length === 1);
	const posts = (await deliveries(hub, "erp", "order.post")).reverse();
	assert.deepEqual(posts.map((d) => d.order_id), taken.map((o) => o.order_id));
	(await post(hub, `/v1/deliveries/${posts[0].delivery_id}/cancel`)).expect(409, "delivery_sending");
	for (const i of [1, 2, 4])
		(await post(hub, `/v1/deliveries/${posts[i].delivery_id}/cancel`)).expect(200);
	erp.handler = undefined;
	held[0]();
	await until("nothing waits", () => idle(hub, "erp"));
	assert.deepEqual(erp.of("/orders").map((r) => r.key), [posts[0].delivery_id, posts[3].delivery_id]);
	const ended = (await deliveries(hub, "erp", "order.post")).reverse();
	assert.deepEqual(ended.map((d) => d.status), ["delivered", "cancelled", "cancelled", "delivered", "cancelled"]);
	const { attempts } = await hub.read(`/v1/deliveries/${posts[1].delivery_id}`);
	assert.deepEqual(attempts, []);
	await hub.audit();
});

test("of a batch without an answer one is cancelled: the rest comes under another key, and can be known by its items", async (t) => {
	const { hub, erp } = await policed(t, "erp", "slots: 4, retry_base: 1h, retry_max: 2h");
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	const ids = [await adjust(hub), await adjust(hub), await adjust(hub)];
	let lost = 0;
	erp.handler = (r) => (r.path === "/stock-transactions" && ++lost === 1 ? "lose" : undefined);
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	const mine = () => erp.of("/stock-transactions").filter((r) => r.json.items.some((i) => ids.includes(i.source_event_id)));
	await until("it is unknown", async () => (await deliveries(hub, "erp", "stock.transactions")).filter((d) => d.status === "unknown").length === 3);
	const [sent] = mine(), own = sent.json.items.map((i) => i.delivery_id);
	(await post(hub, `/v1/deliveries/${own[1]}/cancel`)).expect(200);
	await hub.advance(2 * HOUR);
	await until("nothing waits", () => idle(hub, "erp"));
	const rest = mine().slice(1);
	assert.deepEqual(rest.flatMap((r) => r.json.items.map((i) => [i.source_event_id, i.delivery_id])), [[ids[0], own[0]], [ids[2], own[2]]]);
	for (const r of rest)
		assert.notEqual(r.key, sent.key);
	const ended = (await deliveries(hub, "erp", "stock.transactions")).slice(0, 3).reverse();
	assert.deepEqual(ended.map((d) => d.status), ["delivered", "cancelled", "delivered"]);
	await hub.audit();
});

test("the latest wins: older ones that wait are superseded", async (t) => {
	const { hub, erp } = await policed(t, "erp", "operations: {stock.transactions: {on_failure: latest_wins}}");
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	const ids = [await adjust(hub), await adjust(hub), await adjust(hub)];
	const before = transactions(erp).length;
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("nothing waits", () => idle(hub, "erp"));
	assert.deepEqual(transactions(erp).slice(before), [[ids[2]]]);
	const mine = (await deliveries(hub, "erp", "stock.transactions")).slice(0, 3).reverse();
	assert.deepEqual(mine.map((d) => d.status), ["superseded", "superseded", "delivered"]);
	assert.match(mine[0].reason, /newer/);
	await hub.audit();
});

/* All that was told of stock is asked for again, and waits; the receiver has seen `before` requests. */
async function replayed(hub, erp, options = {}) {
	await until("nothing waits", () => idle(hub, "erp"));
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	const before = transactions(erp).length;
	const { job_id } = (await hub.post("/v1/systems/erp/replay", { after: 0, operations: ["stock.transactions"], ...options })).expect(202).json;
	const job = await until("the replay is done", async () => {
		const j = await hub.read(`/v1/jobs/${job_id}`);
		return j.status === "done" && j;
	});
	assert.equal(job.progress.done, job.progress.total);
	return before;
}

test("a replayed delivery goes before the newer ones of its key, though it is bulk; also after a kill", async (t) => {
	const { hub, erp } = await policed(t, "erp", "slots: 4, operations: {stock.transactions: {batch: {count: 1}}}");
	for (let i = 0; i < 3; i++)
		await adjust(hub);
	await until("they have come", async () => transactions(erp).length === 4 && (await idle(hub, "erp")));
	const told = transactions(erp).map(([id]) => id);
	for (const kill of [false, true]) {
		const before = await replayed(hub, erp);
		told.push(await adjust(hub));
		if (kill) {
			await hub.kill();
			await hub.start();
		}
		(await post(hub, "/v1/systems/erp/resume")).expect(200);
		await until("nothing waits", () => idle(hub, "erp"));
		assert.deepEqual(transactions(erp).slice(before).map(([id]) => id), told);
	}
	const keys = erp.of("/stock-transactions").map((r) => r.key);
	assert.deepEqual(keys.slice(4, 8), keys.slice(0, 4), "under the same ids");
	await hub.audit();
});

test("where the latest wins a replay sends nothing that something newer has replaced", async (t) => {
	const { hub, erp } = await policed(t, "erp", "slots: 4, operations: {stock.transactions: {on_failure: latest_wins, batch: {count: 1}}}");
	const ids = [];
	for (let n = 0; n < 3; n++) {
		ids.push(await adjust(hub));
		await until("it has come", async () => transactions(erp).at(-1)[0] === ids[n] && (await idle(hub, "erp")));
	}
	const states = async () => (await deliveries(hub, "erp", "stock.transactions")).map((d) => d.status).reverse();
	/* nothing is newer than the last one */
	const first = await replayed(hub, erp);
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("nothing waits", () => idle(hub, "erp"));
	assert.deepEqual(transactions(erp).slice(first), [[ids[2]]]);
	assert.deepEqual(await states(), ["superseded", "superseded", "superseded", "delivered"]);
	/* one that comes while it waits */
	const second = await replayed(hub, erp);
	const live = await adjust(hub);
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("nothing waits", () => idle(hub, "erp"));
	assert.deepEqual(transactions(erp).slice(second), [[live]]);
	/* and as new deliveries */
	const third = await replayed(hub, erp, { new_ids: true });
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("nothing waits", () => idle(hub, "erp"));
	assert.deepEqual(transactions(erp).slice(third), [[live]]);
	assert.deepEqual(await states(), ["superseded", "superseded", "superseded", "superseded", "delivered", "delivered"]);
	await hub.audit();
});

test("a key goes on without one that fails, which comes later, also after a restart", async (t) => {
	const { hub, erp } = await policed(t, "erp", "operations: {stock.transactions: {on_failure: {skip_after: 2}, batch: {count: 1}}}");
	let away = true;
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	const first = await adjust(hub), second = await adjust(hub);
	erp.handler = (r) => (r.path === "/stock-transactions" && away && r.json.items[0].source_event_id === first ? { status: 500 } : undefined);
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("the second is there", () => transactions(erp).some(([id]) => id === second));
	const seen = transactions(erp).map(([id]) => id);
	assert.equal(seen.slice(0, seen.indexOf(second)).filter((id) => id === first).length, 2);
	await hub.stop();
	await hub.start();
	const third = await adjust(hub);
	await until("the third is there", () => transactions(erp).some(([id]) => id === third));
	away = false;
	await until("nothing waits", () => idle(hub, "erp"));
	const mine = (await deliveries(hub, "erp", "stock.transactions")).slice(0, 3);
	assert.deepEqual(mine.map((d) => d.status), ["delivered", "delivered", "delivered"]);
	await hub.audit();
});

test("a list of pauses ends with a dead letter", async (t) => {
	const { hub, erp } = await policed(t, "erp", "operations: {stock.transactions: {retry: [10ms, 20ms], batch: {count: 1}}}");
	erp.handler = (r) => (r.path === "/stock-transactions" ? { status: 500 } : undefined);
	const before = transactions(erp).length;
	await adjust(hub);
	await until("it is given up", async () => (await hub.read("/v1/overview")).dead_letters_open === 1);
	assert.equal(transactions(erp).length, before + 3);
	await hub.audit();
});

test("in maintenance everything waits and does not grow old", async (t) => {
	const now = Date.now();
	const window = `{from: "${new Date(now - HOUR).toISOString()}", to: "${new Date(now + 5 * HOUR).toISOString()}"}`;
	const { hub, wms } = await policed(t, "wms", `give_up_after: 30m, maintenance: [${window}]`);
	const [o] = await capture(hub, 1);
	await hub.orderIs(o.order_id, "accepted");
	const s = await until("it waits", async () => {
		const seen = await hub.read("/v1/systems/wms");
		return seen.backlog === 1 && seen.state === "maintenance" && seen;
	});
	assert.deepEqual([s.health, s.maintenance_until], ["maintenance", new Date(now + 5 * HOUR).toISOString()]);
	let tries = 0;
	wms.handler = (r) => (r.method === "POST" && ++tries === 1 ? { status: 500 } : undefined);
	await hub.advance(4 * HOUR);
	assert.equal((await hub.read("/v1/systems/wms")).state, "maintenance");
	assert.equal(wms.requests.length, 0);
	await hub.advance(HOUR);
	/* five hours old, and yet tried again after a failure */
	await hub.orderIs(o.order_id, "released");
	assert.equal(tries, 2);
	assert.deepEqual((await told(hub, "system.maintenance_ended")).map((d) => d.system), ["wms"]);
});

test("after a pause what has gathered is sent at the catch-up rate", async (t) => {
	const { hub, wms } = await policed(t, "wms", "slots: 1, catch_up_rate: 1/h");
	(await post(hub, "/v1/systems/wms/pause")).expect(200);
	const taken = await capture(hub, 4);
	await until("they wait", async () => (await hub.read("/v1/systems/wms")).backlog === 4);
	(await post(hub, "/v1/systems/wms/resume")).expect(200);
	await stopsAt(hub, wms, "/shipment-requests", 1, 3);
	assert.equal((await hub.read("/v1/systems/wms")).catching_up, true);
	for (let n = 2; n <= 4; n++) {
		await hub.advance(HOUR);
		await until(`${n} have come`, () => wms.of("/shipment-requests").length === n);
	}
	for (const o of taken)
		await hub.orderIs(o.order_id, "released");
	/* caught up: others go at once */
	await until("it has caught up", async () => !(await hub.read("/v1/systems/wms")).catching_up);
	for (const o of await capture(hub, 3))
		await hub.orderIs(o.order_id, "released");
});

test("a backlog over its limit is told, and when it is gone", async (t) => {
	const { hub } = await policed(t, "wms", "backlog: {count: 2, age: 1h}");
	(await post(hub, "/v1/systems/wms/pause")).expect(200);
	const [first] = await capture(hub, 1);
	await hub.orderIs(first.order_id, "accepted");
	await hub.advance(2 * HOUR);
	await until("it is too old", async () => (await told(hub, "system.backlog_high")).length === 1);
	assert.equal((await told(hub, "system.backlog_high"))[0].limit, "age");
	await capture(hub, 3);
	await until("it is shown", async () => (await hub.read("/v1/systems/wms")).backlog_over_limit);
	(await post(hub, "/v1/systems/wms/resume")).expect(200);
	await until("it is normal", async () => (await told(hub, "system.backlog_normal")).length === 1);
	assert.equal((await hub.read("/v1/systems/wms")).backlog_over_limit, false);
});

test("with on_full: refuse no order is taken while too much waits for the ERP; all else is, and replays stand still", async (t) => {
	const { hub, erp } = await policed(t, "erp", "backlog: {count: 10, on_full: refuse}");
	const early = await capture(hub, 3);
	for (const o of early)
		await hub.orderIs(o.order_id, "released");
	await until("nothing waits", () => idle(hub, "erp"));
	(await post(hub, "/v1/systems/erp/pause")).expect(200);
	await capture(hub, 11);
	await until("it is over its limit", async () => (await hub.read("/v1/systems/erp")).backlog_over_limit);
	const late = order({ A: "1" });
	const refused = (await hub.post("/v1/orders", late)).expect(503, "destination_full");
	assert.match(refused.headers.get("retry-after"), /^\d+$/);
	(await hub.push("shop", "order", late)).expect(503, "destination_full");
	assert.deepEqual((await hub.read(`/v1/orders?channel=shop&external_id=${late.external_id}`)).items, [], "nothing was taken");
	await adjust(hub);
	const { job_id } = (await hub.post("/v1/systems/erp/replay", { after: 0, operations: ["order.post"] })).expect(202).json;
	await hub.advance(60_000);
	const job = await hub.read(`/v1/jobs/${job_id}`);
	assert.deepEqual([job.status, job.progress.done], ["running", 0]);
	(await post(hub, "/v1/systems/erp/resume")).expect(200);
	await until("it is normal", async () => (await told(hub, "system.backlog_normal")).length === 1);
	await until("the replay is done", async () => (await hub.read(`/v1/jobs/${job_id}`)).status === "done");
	assert.equal((await told(hub, "system.backlog_high")).length, 1, "the replay has kept below the limit");
	await hub.orderIs((await hub.post("/v1/orders", late)).expect(202).json.order_id, "released");
	await until("nothing waits", () => idle(hub, "erp"));
	assert.equal(erp.objects.length, 15);
	await hub.audit();
});

test("a check refuses policies that do not fit together", async (t) => {
	const rows = [
		["operations: {order.post: {priority: bulk}}", /mixed_priorities/],
		["operations: {order.pots: {priority: bulk}}", /unknown_operation/],
		["operations: {price: {batch: {count: 10}}}", /not_batched/],
		["operations: {price: {retry: {base: 1h, max: 1s}}}", /bad_operation/],
		["maintenance: [{days: [sat], from: '22:00', to: '25:00'}]", /bad_maintenance/],
		["maintenance: [{days: [sat], from: '22:00', to: '23:00', zone: Europe/Atlantis}]", /bad_maintenance/],
		["maintenance: [{from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z'}]", /bad_maintenance/],
		["rate: fast", /rate/],
		["breaker: {failures: 0%}", /failures/],
	];
	for (const [delivery, finding] of rows)
		await assert.rejects(world(t, names, { systems: { erp: { delivery: `{${delivery}}` } } }), finding, delivery);
});
