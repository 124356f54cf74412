/* Systems that are away, slow to answer, or say no: nothing is lost, nothing is done twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { order, shipment, until, world } from "./harness.mjs";

const COUNT = 30;

/* Deliveries of one operation to the ERP that have not ended. */
async function open(hub, operation) {
	const { items } = await hub.read("/v1/deliveries?system=erp&limit=1000");
	return items.filter((d) => d.operation === operation && ["waiting", "sending", "unknown"].includes(d.status));
}

test("orders are taken while the ERP is away, and delivered once when it is back", async (t) => {
	const { hub, erp, shop } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "1000" });
	await erp.stop();
	const taken = [];
	for (let i = 0; i < COUNT; i++)
		taken.push(await hub.capture(order({ A: "1" })));
	for (const o of taken)
		await hub.orderIs(o.order_id, "reserved");
	/* what is for others is not held up by it */
	await until("the shop is told", () => shop.told("A") === String(1000 - COUNT));
	const system = await hub.read("/v1/systems/erp");
	assert.ok(system.backlog >= COUNT && system.oldest_at, JSON.stringify(system));
	assert.equal((await open(hub, "order.post")).length, COUNT);
	await erp.again();
	for (const o of taken)
		await hub.orderIs(o.order_id, "released");
	const posts = erp.of("/orders").map((r) => r.json.order_id);
	assert.deepEqual([...posts].sort(), taken.map((o) => o.order_id).sort());
	await until("nothing waits", async () => (await hub.read("/v1/systems/erp")).backlog === 0);
	await hub.audit();
});

test("and also when the server was stopped, or killed, meanwhile", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "1000" });
	await erp.stop();
	const taken = [];
	for (let i = 0; i < 10; i++)
		taken.push(await hub.capture(order({ A: "1" })));
	await hub.stop();
	await hub.start();
	for (let i = 0; i < 10; i++)
		taken.push(await hub.capture(order({ A: "1" })));
	await hub.kill();
	await hub.start();
	await erp.again();
	for (const o of taken)
		await hub.orderIs(o.order_id, "released");
	assert.deepEqual(erp.objects.map((o) => o.order_id).sort(), taken.map((o) => o.order_id).sort());
	await hub.audit();
});

test("of one order deliveries keep their order", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100", B: "100" });
	const orders = [];
	for (let i = 0; i < 4; i++)
		orders.push(await hub.capture(order({ A: "3" })));
	for (const o of orders)
		await hub.orderIs(o.order_id, "released");
	let failures = 0;
	erp.handler = (r) => (r.path === "/shipments" && ++failures % 3 !== 0 ? { status: 500 } : undefined);
	const sent = {};
	for (const part of ["1", "2", "3"])
		for (const o of orders) {
			const s = shipment(o.order_id, { A: "1" }, { shipment_id: `${o.order_id}-${part}` });
			(sent[o.order_id] ??= []).push(s.shipment_id);
			(await hub.push("wms", "shipment", s)).expect(202);
		}
	for (const o of orders)
		await hub.orderIs(o.order_id, "shipped");
	const got = () => {
		const done = {};
		for (const r of erp.of("/shipments"))
			if (erp.answers.has(r.key) && !done[r.json.order_id]?.includes(r.json.shipment_id))
				(done[r.json.order_id] ??= []).push(r.json.shipment_id);
		return done;
	};
	await until("the ERP has all shipments", () => Object.values(got()).flat().length === 12);
	await until("nothing waits", async () => (await hub.read("/v1/systems/erp")).backlog === 0);
	/* the order in which they were first tried is the order in which they were made, order by order */
	for (const o of orders)
		assert.deepEqual(got()[o.order_id], sent[o.order_id]);
});

test("a lost answer is looked up, not posted again", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	erp.handler = (r) => (r.method === "POST" && r.path === "/orders" ? "lose" : undefined);
	const o = await hub.capture(order({ A: "1" }));
	const found = await hub.orderIs(o.order_id, "released");
	assert.equal(found.external_ids.erp, "erp-1");
	const asked = erp.of("/orders");
	assert.equal(asked.filter((r) => r.method === "POST").length, 1);
	assert.ok(asked.some((r) => r.method === "GET" && r.query.get("order_id") === o.order_id));
	assert.equal(erp.objects.length, 1);
	const { entries } = await hub.read(`/v1/orders/${o.order_id}/timeline`);
	assert.ok(entries.some((e) => e.kind === "attempt" && e.outcome === "unknown"));
});

test("an order that did not arrive is posted again, under the same key", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	let lost = 0;
	erp.handler = (r) => (r.method === "POST" && r.path === "/orders" && lost++ === 0 ? "close" : undefined);
	const o = await hub.capture(order({ A: "1" }));
	await hub.orderIs(o.order_id, "released");
	const asked = erp.of("/orders");
	const posts = asked.filter((r) => r.method === "POST");
	assert.equal(posts.length, 2);
	assert.equal(posts[0].key, posts[1].key);
	assert.equal(posts[0].text, posts[1].text);
	/* the empty look-up counted only when it had been made twice */
	const between = asked.slice(asked.indexOf(posts[0]) + 1, asked.indexOf(posts[1]));
	assert.ok(between.length >= 2 && between.every((r) => r.method === "GET"), `${between.length} look-ups`);
});

test("a business refusal becomes an exception in the ERP's words", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	erp.handler = (r) => (r.path === "/orders" ? { status: 422, body: { detail: "Customer C1 is blocked." }, headers: { "content-type": "application/problem+json" } } : undefined);
	const o = await hub.capture(order({ A: "1" }));
	const [e] = await until("an exception", async () => {
		const { items } = await hub.read("/v1/exceptions");
		return items.length > 0 && items;
	});
	assert.equal(e.kind, "order_refused");
	assert.equal(e.order_id, o.order_id);
	assert.match(e.detail, /Customer C1 is blocked/);
	assert.equal(erp.of("/orders").length, 1);
	assert.equal((await hub.read("/v1/overview")).dead_letters_open, 0);
});

test("a mistake of configuration becomes a dead letter at once", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	erp.handler = (r) => (r.path === "/orders" ? { status: 404, body: { detail: "No such path." } } : undefined);
	const o = await hub.capture(order({ A: "1" }));
	const [d] = await until("a dead letter", async () => {
		const { items } = await hub.read("/v1/dead-letters?system=erp");
		return items.length > 0 && items;
	});
	assert.equal(d.class, "configuration");
	const whole = await hub.read(`/v1/dead-letters/${d.id}`);
	assert.equal(whole.delivery.order_id, o.order_id);
	assert.equal(erp.of("/orders").length, 1);
});

test("a system that refuses our credentials is stopped, its deliveries wait", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	erp.handler = () => ({ status: 401 });
	const o = await hub.capture(order({ A: "1" }));
	await until("the ERP has refused", () => erp.requests.length > 0);
	for (let i = 0; i < 5; i++)
		await hub.capture(order({ A: "1" }));
	assert.equal((await open(hub, "order.post")).length, 6);
	assert.equal((await hub.read("/v1/overview")).dead_letters_open, 0);
	assert.equal((await hub.order(o.order_id)).status, "reserved");
	/* one probe a minute: a test clock cannot hurry it, so that is where this ends */
	assert.ok(erp.requests.length <= 5, `${erp.requests.length} requests`);
});

test("a paused system gets nothing until it is resumed", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	(await hub.post("/v1/systems/erp/pause", { reason: "month end" })).expect(200);
	assert.equal((await hub.read("/v1/systems/erp")).paused, true);
	const o = await hub.capture(order({ A: "1" }));
	await hub.orderIs(o.order_id, "reserved");
	await hub.stop();
	await hub.start();
	assert.equal((await hub.read("/v1/systems/erp")).paused, true);
	assert.equal(erp.of("/orders").length, 0);
	(await hub.post("/v1/systems/erp/resume")).expect(200);
	await hub.orderIs(o.order_id, "released");
});

test("a shop is never told an older number after a newer one", async (t) => {
	const { hub, shop } = await world(t, ["shop", "wms"]);
	let n = 0;
	shop.handler = () => (++n % 2 ? { status: 503, headers: { "retry-after": "0" } } : undefined);
	for (let i = 1; i <= 20; i++)
		await hub.count({ A: String(i), B: String(2 * i) });
	await until("the shop shows the last numbers", () => shop.told("A") === "20" && shop.told("B") === "40");
	for (const sku of ["A", "B"]) {
		const told = shop.of("/availability").filter((r) => shop.answers.has(r.key)).flatMap((r) => r.json.items.filter((i) => i.sku === sku));
		const versions = told.map((i) => i.version);
		assert.deepEqual(versions, [...versions].sort((a, b) => a - b), sku);
	}
});
