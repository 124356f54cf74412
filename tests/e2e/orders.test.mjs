/* One order, however often it is sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { order, until, world } from "./harness.mjs";

const ten = (call) => Promise.all(Array.from({ length: 10 }, (_, i) => call(i)));

test("the same order ten times at once is one order", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	const sent = order({ A: "3" });
	const answers = await ten(() => hub.post("/v1/orders", sent));
	const bodies = answers.map((a) => a.expect(202).json);
	for (const body of bodies)
		assert.deepEqual(body, bodies[0]);
	const listed = await hub.read(`/v1/orders?channel=shop&external_id=${sent.external_id}`);
	assert.deepEqual(listed.items.map((o) => o.order_id), [bodies[0].order_id]);
	await hub.orderIs(bodies[0].order_id, "released");
	assert.equal(erp.of("/orders").length, 1);
	assert.equal((await hub.events(0, "order.captured")).length, 1);

	const other = await hub.post("/v1/orders", { ...sent, lines: [{ ...sent.lines[0], quantity: "4" }] });
	other.expect(409, "order_exists");
	assert.equal((await hub.order(bodies[0].order_id)).lines[0].ordered, "3");
	assert.equal((await hub.read("/v1/overview")).orders_total, 1);
});

test("with an Idempotency-Key the first answer comes again and says so", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	const sent = order({ A: "3" });
	const headers = { "idempotency-key": "web-1001", "correlation-id": "mine" };
	const answers = await ten(() => hub.post("/v1/orders", sent, { headers }));
	for (const a of answers)
		assert.deepEqual(a.expect(202).json, answers[0].json);
	const replayed = answers.filter((a) => a.headers.get("idempotency-replayed") === "true");
	assert.equal(replayed.length, 9);
	assert.equal((await hub.read("/v1/overview")).orders_total, 1);

	(await hub.post("/v1/orders", order({ A: "1" }), { headers })).expect(422, "idempotency_key_reused");
	/* the key holds for the route, the body and the caller together */
	(await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "A", quantity: "1" }] }, { headers })).expect(422, "idempotency_key_reused");
	assert.equal((await hub.read("/v1/overview")).orders_total, 1);

	/* and it outlives the process */
	const first = answers[0].json;
	await hub.stop();
	await hub.start();
	const again = (await hub.post("/v1/orders", sent, { headers })).expect(202);
	assert.deepEqual(again.json, first);
	assert.equal(again.headers.get("idempotency-replayed"), "true");
});

test("a movement counts once, another one under its id is refused", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	const movement = {
		source: "wms", source_event_id: "m-1", type: "receive", occurred_at: "2026-03-01T10:00:00Z",
		lines: [{ sku: "A", location: "east", quantity: "7" }],
	};
	const answers = await ten(() => hub.post("/v1/stock/movements", movement));
	const ids = new Set(answers.map((a) => a.expect(200).json.movement_id));
	assert.equal(ids.size, 1);
	assert.equal(answers.filter((a) => !a.json.duplicate).length, 1);
	(await hub.post("/v1/stock/movements", { ...movement, reason: "other" })).expect(409, "movement_exists");

	const mixed = (await hub.post("/v1/stock/movements", {
		items: [movement, { ...movement, source_event_id: "m-2" }, { ...movement, source_event_id: "m-3", lines: [] }, { ...movement, reason: "other" }],
	})).expect(200).json;
	assert.deepEqual(mixed.items.map((i) => i.status ?? 200), [200, 200, 422, 409]);
	assert.deepEqual(mixed.items.slice(0, 2).map((i) => i.duplicate), [true, false]);
	assert.equal(await hub.available("shop", "A"), "14");
	await hub.audit();
});

test("Prefer: wait answers when the order has been decided", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "5" });
	const headers = { prefer: "wait=20" };
	const decided = async (lines) => (await hub.post("/v1/orders", order(lines), { headers })).expect(201).json.status;
	assert.equal(await decided({ A: "4" }), "reserved");
	assert.equal(await decided({ A: "4" }), "backordered");
	assert.equal(await decided({ unheard_of: "1" }), "on_hold");
	const { items } = await hub.read("/v1/exceptions");
	assert.deepEqual(items.map((e) => e.kind).sort(), ["backordered", "unknown_item"]);
});

test("stock that comes in goes to the order that waits for it", async (t) => {
	const { hub, wms } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "1" });
	const o = await hub.capture(order({ A: "3" }));
	await until("two are backordered", async () => (await hub.order(o.order_id)).lines[0].backordered === "2");
	await until("what was there is released", () => wms.of("/shipment-requests").length === 1);
	(await hub.post("/v1/stock/movements", {
		source: "wms", source_event_id: "late", type: "receive", occurred_at: new Date().toISOString(), lines: [{ sku: "A", location: "east", quantity: "5" }],
	})).expect(200);
	const asked = await until("the rest is released", () => wms.of("/shipment-requests").length === 2 && wms.of("/shipment-requests"));
	assert.deepEqual(asked.map((r) => r.json.lines[0].quantity), ["1", "2"]);
	assert.equal((await hub.orderIs(o.order_id, "released")).lines[0].backordered, "0");
	assert.equal(await hub.available("shop", "A"), "3");
	await hub.audit();
});

test("a cancelled order gives its stock back, a released one cannot be cancelled", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	erp.handler = (r) => (r.path === "/orders" ? { status: 503, headers: { "retry-after": "1" } } : undefined);
	await hub.count({ A: "5" });
	const o = await hub.capture(order({ A: "5" }));
	await hub.orderIs(o.order_id, "reserved");
	assert.equal(await hub.available("shop", "A"), "0");
	(await hub.post(`/v1/orders/${o.order_id}/cancel`, { reason: "changed their mind" })).expect(200);
	await hub.orderIs(o.order_id, "cancelled");
	assert.equal(await hub.available("shop", "A"), "5");
	erp.handler = undefined;

	const next = await hub.capture(order({ A: "2" }));
	await hub.orderIs(next.order_id, "released");
	(await hub.post(`/v1/orders/${next.order_id}/cancel`)).expect(409, "order_released");
	/* cancelled already: the same answer again */
	(await hub.post(`/v1/orders/${o.order_id}/cancel`)).expect(200);
	await hub.audit();
});
