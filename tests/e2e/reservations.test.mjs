/* Holding stock: all or nothing or what there is, one or many, for a time, for orders. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inState, order, until, world } from "./harness.mjs";

const hold = (hub, lines, more = {}) =>
	hub.post("/v1/reservations", { channel: "shop", lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity })), ...more });

test("held stock is not sold, and what is short is listed", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "10", B: "3", C: "1" });
	const held = (await hold(hub, { A: "4", B: "3" }, { ttl_s: 600, reservation_id: "cart-1" })).expect(201).json;
	assert.equal(held.reservation_id, "cart-1");
	assert.equal(held.status, "held");
	assert.deepEqual(held.lines.map((l) => [l.sku, l.quantity, l.location]), [["A", "4", "east"], ["B", "3", "east"]]);
	const seconds = (Date.parse(held.expires_at) - Date.now()) / 1000;
	assert.ok(seconds > 500 && seconds <= 601, held.expires_at);
	assert.equal(await hub.available("shop", "A"), "6");
	assert.equal(await hub.available("shop", "B"), "0");

	const refused = (await hold(hub, { A: "7", B: "1", C: "1" })).expect(409, "insufficient_stock").json;
	assert.deepEqual(refused.short.map((s) => [s.sku, s.requested, s.available]), [["A", "7", "6"], ["B", "1", "0"]]);
	assert.equal(await hub.available("shop", "C"), "1");

	const again = (await hold(hub, { A: "4", B: "3" }, { ttl_s: 600, reservation_id: "cart-1" })).expect(201).json;
	assert.deepEqual(again, held);
	(await hold(hub, { A: "5" }, { reservation_id: "cart-1" })).expect(409, "reservation_exists");
	assert.equal(await hub.available("shop", "A"), "6");
	await hub.audit();
});

test("many callers at once never hold more than there is", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "25" });
	const answers = await Promise.all(Array.from({ length: 40 }, () => hold(hub, { A: "1" })));
	const statuses = answers.map((a) => a.status);
	assert.equal(statuses.filter((s) => s === 201).length, 25);
	assert.equal(statuses.filter((s) => s === 409).length, 15);
	assert.equal(inState(await hub.stock("A"), "held"), 25);
	assert.equal(await hub.available("shop", "A"), "0");
	await hub.audit();
});

test("a hold is committed to an order, which then has its stock before others", async (t) => {
	const { hub, wms } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "2" });
	const held = (await hold(hub, { A: "2" })).expect(201).json;
	const waiting = await hub.capture(order({ A: "1" }));
	const backordered = async (o) => (await hub.order(o.order_id)).lines[0].backordered;
	await until("the one waits", async () => (await backordered(waiting)) === "1");
	const bought = await hub.capture(order({ A: "2" }));
	await until("the other too", async () => (await backordered(bought)) === "2");
	const done = (await hub.post(`/v1/reservations/${held.reservation_id}/commit`, { order_id: bought.order_id })).expect(200).json;
	assert.equal(done.status, "committed");
	await until("the warehouse is asked for both", () => wms.of("/shipment-requests").some((r) => r.json.order_id === bought.order_id && r.json.lines[0].quantity === "2"));
	const stock = await hub.stock("A");
	assert.equal(inState(stock, "held"), 0);
	assert.equal(inState(stock, "allocated"), 2);
	assert.equal(await backordered(waiting), "1");
	assert.equal(await backordered(bought), "0");
	assert.equal((await hub.read(`/v1/reservations/${held.reservation_id}`)).status, "committed");
	(await hub.call("DELETE", `/v1/reservations/${held.reservation_id}`)).expect(409, "reservation_ended");
	await hub.audit();
});

test("a hold that is voided is free again", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "2" });
	const held = (await hold(hub, { A: "2" })).expect(201).json;
	assert.equal(await hub.available("shop", "A"), "0");
	(await hub.call("DELETE", `/v1/reservations/${held.reservation_id}`)).expect(200);
	assert.equal(await hub.available("shop", "A"), "2");
	assert.equal((await hub.read(`/v1/reservations/${held.reservation_id}`)).status, "voided");
	(await hub.call("DELETE", "/v1/reservations/unheard-of")).expect(404, "reservation_not_found");
	await hub.audit();
});

test("a hold expires when its time is up, not before, also over a restart", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "3" });
	const short = (await hold(hub, { A: "1" }, { ttl_s: 60 })).expect(201).json;
	const long = (await hold(hub, { A: "1" }, { ttl_s: 7200 })).expect(201).json;
	assert.equal(await hub.available("shop", "A"), "1");
	await hub.stop();
	await hub.start();
	assert.equal(await hub.available("shop", "A"), "1");
	await hub.advance(61_000);
	await until("the short one has expired", async () => (await hub.read(`/v1/reservations/${short.reservation_id}`)).status === "expired");
	assert.equal(await hub.available("shop", "A"), "2");
	assert.equal((await hub.read(`/v1/reservations/${long.reservation_id}`)).status, "held");
	(await hub.post(`/v1/reservations/${short.reservation_id}/commit`, { order_id: "x" })).expect(409, "reservation_ended");
	await hub.advance(7_200_000);
	await until("the long one has expired", async () => (await hub.available("shop", "A")) === "3");
	await hub.audit();
});

test("many in one request are answered one by one", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "10" });
	const one = (quantity, more = {}) => ({ channel: "shop", lines: [{ sku: "A", quantity }], ...more });
	const items = [one("4", { reservation_id: "r1" }), one("7"), one("0"), one("1", { channel: "none" }), one("6", { reservation_id: "r2" }), one("1"), 5];
	const key = { headers: { "idempotency-key": "batch-1" } };
	const answer = (await hub.post("/v1/reservations", { items }, key)).expect(200).json.items;
	assert.deepEqual(answer.map((a) => a.problem?.code ?? a.status), ["held", "insufficient_stock", "validation_failed", "unknown_channel", "held", "insufficient_stock", "validation_failed"]);
	assert.deepEqual(answer.map((a) => a.problem && a.status), [undefined, 409, 422, 422, undefined, 409, 422]);
	assert.equal(answer[1].problem.short[0].available, "6");
	assert.equal(answer[2].problem.errors[0].pointer, "/items/2/lines/0/quantity");
	assert.equal(answer[3].problem.errors[0].pointer, "/items/3/channel");
	assert.deepEqual((await hub.post("/v1/reservations", { items }, key)).expect(200).json.items, answer);
	assert.equal(await hub.available("shop", "A"), "0");
	assert.equal((await hub.read("/v1/reservations/r2")).lines[0].quantity, "6");
	(await hub.post("/v1/reservations", { items: [] })).expect(422);
	(await hub.post("/v1/reservations", { items, channel: "shop" })).expect(422);
	await hub.audit();
	await hub.stop();
	await hub.start();
	assert.deepEqual((await hub.post("/v1/reservations", { items: [items[0]] })).expect(200).json.items, [answer[0]]);
	await hub.audit();
});

test("what there is, if not all is", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "3" });
	(await hold(hub, { B: "1" }, { partial: true })).expect(409, "insufficient_stock");
	const held = (await hold(hub, { A: "5", B: "1" }, { partial: true, reservation_id: "p" })).expect(201).json;
	assert.deepEqual(held.lines.map((l) => [l.sku, l.requested, l.quantity]), [["A", "5", "3"]]);
	assert.deepEqual(held.short.map((s) => [s.sku, s.requested, s.available]), [["A", "5", "3"], ["B", "1", "0"]]);
	assert.deepEqual((await hold(hub, { A: "5", B: "1" }, { partial: true, reservation_id: "p" })).expect(201).json, held);
	assert.deepEqual((await hub.read("/v1/reservations/p")).short, held.short);
	await hub.audit();
});

test("a hold is committed in parts", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "6" });
	(await hold(hub, { A: "6" }, { reservation_id: "r" })).expect(201);
	const first = await hub.capture(order({ A: "4" })), second = await hub.capture(order({ A: "4" }));
	const commit = (order_id, quantity, keep_rest) => hub.post("/v1/reservations/r/commit", { order_id, lines: [{ sku: "A", quantity }], keep_rest });
	(await commit(first.order_id, "7", true)).expect(409, "more_than_held");
	const kept = (await commit(first.order_id, "2", true)).expect(200).json;
	assert.deepEqual([kept.status, kept.lines[0].quantity], ["held", "4"]);
	assert.equal((await hub.order(first.order_id)).lines[0].reserved, "2");
	await hub.stop();
	await hub.start();
	assert.equal((await hub.read("/v1/reservations/r")).lines[0].quantity, "4");
	assert.equal((await commit(second.order_id, "3", false)).expect(200).json.status, "committed");
	/* What was not named went to the one that waited first. */
	assert.equal((await hub.order(first.order_id)).lines[0].reserved, "3");
	assert.equal((await hub.order(second.order_id)).lines[0].reserved, "3");
	(await commit(second.order_id, "1", false)).expect(200);
	(await commit(first.order_id, "1", false)).expect(409, "reservation_ended");
	await hub.audit();
});

test("orders and reservations come from the nearest location", async (t) => {
	const { hub, wms } = await world(t, ["shop", "wms"], { shop: ", allocation: nearest", locations: "east: {zones: [GB, IE]}, west: {zones: [IE]}" });
	await hub.count({ A: "10" });
	await hub.count({ A: "10" }, { location: "west" });
	const at = async (ship_to) => (await hold(hub, { A: "1" }, { ship_to })).expect(201).json.lines[0].location;
	assert.equal(await at({ country: "GB" }), "east");
	assert.equal(await at({ country: "IE" }), "west");
	assert.equal(await at(undefined), "east");
	(await hold(hub, { A: "1" }, { ship_to: { country: "Ireland" } })).expect(422, "validation_failed");
	const irish = await hub.capture({ ...order({ A: "9" }), parties: { ship_to: { address: { country: "IE" } } } });
	await until("the warehouse is asked", () => wms.of("/shipment-requests").some((r) => r.json.order_id === irish.order_id && r.json.lines[0].location === "west"));
	/* What comes later, also after a restart, goes to the order from where it is near. */
	const later = await hub.capture({ ...order({ A: "20" }), parties: { ship_to: { address: { country: "IE" } } } });
	assert.equal((await hub.order(later.order_id)).lines[0].backordered, "12");
	await hub.stop();
	await hub.start();
	await hub.count({ A: "60" }, { location: "west" });
	await until("it has all", async () => (await hub.order(later.order_id)).lines[0].backordered === "0");
	await until("the rest is asked for", () => wms.of("/shipment-requests").some((r) => r.json.order_id === later.order_id && r.json.lines.some((l) => l.location === "west" && l.quantity === "12")));
	await hub.audit();
});
