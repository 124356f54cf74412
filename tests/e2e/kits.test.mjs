/* Orders for kits, for what is discontinued and for what has substitutes, as channel, ERP and warehouse see them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inState, order, sandbox, shipment, until, world } from "./harness.mjs";

let last = 0;
const receive = async (hub, quantities, location = "east") =>
	(await hub.post("/v1/stock/movements", {
		source: "wms", source_event_id: `in-${++last}`, type: "receive", occurred_at: new Date().toISOString(),
		lines: Object.entries(quantities).map(([sku, quantity]) => ({ sku, location, quantity })),
	})).expect(200);

async function item(hub, sku, record) {
	(await hub.push("erp", "item", { sku, ...record })).expect(202);
	await until(`${sku} is known`, async () => (await hub.events(0, "item.recorded")).some((e) => e.data.id === sku));
}
/* Two cups and a lid. */
const SET = { kind: "kit", components: [{ sku: "CUP", quantity: "2" }, { sku: "LID", quantity: "1" }] };
const line = async (hub, id) => (await hub.order(id)).lines[0];
const decided = (hub, id) => until("it is decided", async () => {
	const o = await hub.order(id);
	return o.status !== "captured" && o;
});

test("a kit goes from the shop to the door, over a power cut", async (t) => {
	const box = await sandbox(t);
	const { hub } = box;
	const { host } = new URL(hub.url);
	await item(hub, "SET", SET);
	/* What the warehouse has, and says so. */
	await box.ask("wms", "/_stock", { items: [{ sku: "CUP", location: "east", on_hand: "6" }, { sku: "LID", location: "east", on_hand: "9" }] });
	await receive(hub, { CUP: "5", LID: "9" });
	const { order_id } = await hub.capture(order({ SET: "3" }));
	await hub.orderIs(order_id, "partially_shipped");
	await until("two are shipped", async () => (await line(hub, order_id)).shipped === "2");
	let l = await line(hub, order_id);
	assert.deepEqual([l.ordered, l.shipped, l.backordered, l.reserved], ["3", "2", "1", "0"]);
	assert.deepEqual(l.components, [{ sku: "CUP", quantity: "2", shipped: "4" }, { sku: "LID", quantity: "1", shipped: "2" }]);
	assert.equal(inState(await hub.stock("CUP"), "free"), 1);
	await hub.kill();
	await hub.start(host);
	await hub.audit();
	await receive(hub, { CUP: "1" });
	l = (await hub.orderIs(order_id, "shipped")).lines[0];
	assert.deepEqual([l.shipped, l.backordered], ["3", "0"]);
	assert.deepEqual([inState(await hub.stock("CUP"), "free"), inState(await hub.stock("LID"), "free")], [0, 6]);
	assert.equal((await hub.stock("LID")).positions.filter((p) => Number(p.states.allocated ?? 0) > 0).length, 0);
	const told = (await hub.events(0, "shipment.created")).map((e) => e.data.lines.map((x) => [x.sku, x.quantity]));
	assert.deepEqual(told, [[["SET", "2"]], [["SET", "1"]]]);
	await hub.audit();
});

test("the warehouse is asked for kits with what to pick, and may ship component by component", async (t) => {
	const { hub, erp, wms, shop } = await world(t);
	await item(hub, "SET", SET);
	await receive(hub, { CUP: "4", LID: "2" });
	const { order_id } = await hub.capture(order({ SET: "2" }));
	const asked = await until("it is asked for", () => wms.of("/shipment-requests")[0]?.json);
	assert.deepEqual(asked.lines, [{ line_id: "1", sku: "SET", location: "east", quantity: "2", components: [{ sku: "CUP", quantity: "4" }, { sku: "LID", quantity: "2" }] }]);
	assert.deepEqual(erp.of("/orders").map((r) => r.json.lines[0].sku), ["SET"]);
	const ship = async (lines) => (await hub.push("wms", "shipment", shipment(order_id, {}, { lines: lines.map((x) => ({ line_id: "1", location: "east", ...x })) }))).expect(202);
	await ship([{ sku: "CUP", quantity: "4" }]);
	await until("the cups are gone", async () => (await line(hub, order_id)).components[0].shipped === "4");
	assert.equal((await line(hub, order_id)).shipped, "0");
	await hub.stop();
	await hub.start();
	await ship([{ sku: "LID", quantity: "1" }]);
	await until("one is whole", async () => (await line(hub, order_id)).shipped === "1");
	await hub.audit();
	await ship([{ sku: "LID", quantity: "1" }]);
	await hub.orderIs(order_id, "shipped");
	const shipments = await until("the shop knows", () => shop.of("/shipments").length === 2 && shop.of("/shipments"));
	assert.deepEqual(shipments.map((r) => r.json.lines), Array(2).fill([{ line_id: "1", sku: "SET", location: "east", quantity: "1" }]));
	assert.deepEqual((await hub.read("/v1/exceptions")).items.filter((e) => e.kind === "over_shipped"), []);
	await hub.audit();
});

test("a kit that is held becomes the order's, and what is cancelled is free", async (t) => {
	const { hub } = await world(t, ["shop", "wms", "erp"]);
	await item(hub, "SET", SET);
	await receive(hub, { CUP: "4", LID: "2" });
	const held = (await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "SET", quantity: "2" }] })).expect(201).json;
	assert.deepEqual(held.lines.map((x) => [x.kit, x.sku, x.quantity]), [["SET", "CUP", "4"], ["SET", "LID", "2"]]);
	const waits = await hub.capture(order({ CUP: "4", SET: "2" }));
	const before = await decided(hub, waits.order_id);
	assert.deepEqual(before.lines.map((x) => x.backordered), ["4", "2"]);
	(await hub.post(`/v1/reservations/${held.reservation_id}/commit`, { order_id: waits.order_id, lines: [{ sku: "SET", quantity: "1" }], keep_rest: true })).expect(200);
	assert.deepEqual((await hub.order(waits.order_id)).lines.map((x) => x.backordered), ["4", "1"]);
	await hub.kill();
	await hub.start();
	(await hub.post(`/v1/reservations/${held.reservation_id}/commit`, { order_id: waits.order_id })).expect(200);
	assert.deepEqual((await hub.order(waits.order_id)).lines.map((x) => x.backordered), ["4", "0"]);
	assert.deepEqual([inState(await hub.stock("CUP"), "allocated"), inState(await hub.stock("CUP"), "held")], [4, 0]);
	await hub.audit();
	const other = await hub.capture(order({ SET: "1" }));
	await decided(hub, other.order_id);
	(await hub.post(`/v1/orders/${other.order_id}/cancel`)).expect(200);
	await hub.audit();
});

test("what is discontinued is sold while it lasts; a substitute is taken where the channel allows it", async (t) => {
	const { hub, erp, shop } = await world(t, ["shop", "erp", "wms"], { shop: ", substitute: true" });
	await item(hub, "LAST", { status: "discontinued" });
	await item(hub, "OLD", { substitutes: ["NEW"] });
	await receive(hub, { LAST: "3", OLD: "1", NEW: "5" });
	const some = await hub.capture(order({ LAST: "5" }));
	const l = (await decided(hub, some.order_id)).lines[0];
	assert.deepEqual([l.ordered, l.reserved, l.cancelled, l.backordered], ["5", "3", "2", "0"]);
	const posted = await until("the ERP knows", () => erp.of("/orders").find((r) => r.json.order_id === some.order_id)?.json);
	assert.deepEqual(posted.changes, [{ line_id: "1", sku: "LAST", cancelled: "2", reason: "discontinued" }]);
	const none = await hub.capture(order({ LAST: "1" }));
	await hub.orderIs(none.order_id, "rejected");
	const other = await hub.capture(order({ OLD: "2" }));
	const instead = (await decided(hub, other.order_id)).lines[0];
	assert.deepEqual([instead.sku, instead.substitute, instead.reserved], ["OLD", "NEW", "2"]);
	const status = await until("the shop knows", () => shop.of("/order-status").find((r) => r.json.order_id === other.order_id && r.json.changes)?.json);
	assert.deepEqual(status.changes, [{ line_id: "1", sku: "OLD", substitute: "NEW" }]);
	assert.deepEqual([inState(await hub.stock("NEW"), "allocated"), inState(await hub.stock("OLD"), "free")], [2, 1]);
	await hub.kill();
	await hub.start();
	assert.equal((await line(hub, other.order_id)).substitute, "NEW");
	await hub.audit();
});
