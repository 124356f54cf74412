/* The ledger as its owner sees it: lots, units, kits, names elsewhere, counts of the past, corrections, history. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inState, order, shipment, until, world } from "./harness.mjs";

let last = 0;
const move = (hub, type, lines, more = {}) =>
	hub.post("/v1/stock/movements", {
		source: "wms", source_event_id: `m-${++last}`, type, occurred_at: new Date().toISOString(),
		lines: lines?.map((l) => ({ location: "east", ...l })), ...more,
	});
const at = (stock, lot = "") => Number(stock.positions.find((p) => (p.lot ?? "") === lot)?.states.free ?? 0);

async function history(hub, sku, limit) {
	const all = [];
	for (let cursor = ""; cursor !== null;) {
		const page = await hub.read(`/v1/stock/${sku}/movements?limit=${limit}${cursor && `&cursor=${cursor}`}`);
		assert.ok(page.items.length <= limit);
		all.push(...page.items);
		cursor = page.next_cursor;
	}
	return all;
}

test("what expires first leaves first, and every unit's way can be read", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	(await move(hub, "receive", [{ sku: "MILK", quantity: "5", lot: "late", expires_on: "2031-01-31" }])).expect(200);
	(await move(hub, "receive", [{ sku: "MILK", quantity: "5", lot: "soon", expires_on: "2030-01-31" }, { sku: "OTHER", quantity: "1" }])).expect(200);
	(await move(hub, "ship", [{ sku: "MILK", quantity: "7" }], { reason: "samples" })).expect(200);
	const before = await hub.stock("MILK");
	assert.deepEqual([at(before, "soon"), at(before, "late")], [0, 3]);
	assert.deepEqual(before.positions.filter((p) => p.lot).map((p) => p.expires_on).sort(), ["2030-01-31", "2031-01-31"]);
	await hub.stop();
	await hub.start();
	(await move(hub, "move", [{ sku: "MILK", quantity: "1", to_location: "west" }])).expect(200);
	assert.equal(at(await hub.stock("MILK"), "late"), 2);
	for (const limit of [1, 3, 100]) {
		const all = await history(hub, "MILK", limit);
		assert.deepEqual(all.map((m) => m.type), ["move", "ship", "receive", "receive"]);
		assert.equal(all[1].reason, "samples");
		assert.equal(all[1].source, "wms");
		assert.deepEqual(all[1].entries.map((e) => [e.lot, e.from, e.to, e.quantity]), [["soon", "free", "outside", "5"], ["late", "free", "outside", "2"]]);
	}
	assert.equal((await history(hub, "OTHER", 10)).length, 1);
	await hub.audit();
});

test("of two lines of the same goods one is taken back by its number", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	const free = async () => inState(await hub.stock("A"), "free");
	(await move(hub, "receive", [{ sku: "A", quantity: "2" }, { sku: "A", quantity: "5" }], { source_event_id: "two" })).expect(200);
	const back = (line) => move(hub, "reverse", [line], { reverses_event_id: "two" });
	(await back({ sku: "A", quantity: "5" })).expect(422, "quantity_differs");
	(await back({ sku: "A", quantity: "5", line: 1 })).expect(422, "quantity_differs");
	(await back({ sku: "A", quantity: "5", line: 0 })).expect(422);
	(await back({ sku: "A", quantity: "5", line: 3 })).expect(422, "not_in_movement");
	(await move(hub, "receive", [{ sku: "A", quantity: "5", line: 1 }])).expect(422);
	(await back({ sku: "A", quantity: "5", line: 2 })).expect(200);
	assert.equal(await free(), 2);
	await hub.kill();
	await hub.start();
	(await back({ sku: "A", quantity: "5", line: 2 })).expect(409, "already_reversed");
	(await back({ sku: "A", quantity: "7" })).expect(409, "already_reversed");
	(await move(hub, "reverse", undefined, { reverses_event_id: "two" })).expect(200);
	assert.equal(await free(), 0);
	(await back({ sku: "A", quantity: "2", line: 1 })).expect(409, "already_reversed");
	await hub.audit();
});

test("what is of a count's own instant is taken back as it was told: before the count, or after it", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	const at = (ms) => ({ occurred_at: new Date(Date.UTC(2026, 2, 1, 8) + ms).toISOString() });
	const free = async () => inState(await hub.stock("A"), "free");
	for (const [ms, id] of [[-1, "before"], [0, "same, told before"]])
		(await move(hub, "receive", [{ sku: "A", quantity: "2" }], { ...at(ms), source_event_id: id })).expect(200);
	(await move(hub, "count", [{ sku: "A", quantity: "3" }], at(0))).expect(200);
	for (const [ms, id] of [[0, "same, told after"], [1, "after"]])
		(await move(hub, "receive", [{ sku: "A", quantity: "4" }], { ...at(ms), source_event_id: id })).expect(200);
	await hub.kill();
	await hub.start();
	assert.equal(await free(), 11);
	for (const [id, left] of [["before", 11], ["same, told before", 11], ["same, told after", 7], ["after", 3]]) {
		(await move(hub, "reverse", undefined, { ...at(0), reverses_event_id: id })).expect(200);
		assert.equal(await free(), left, id);
	}
	await hub.audit();
});

test("a movement is taken back once, by line or as a whole, also after a restart", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	const wrong = (await move(hub, "receive", [{ sku: "A", quantity: "5" }, { sku: "B", quantity: "7" }], { source_event_id: "typed-twice" })).expect(200).json;
	(await move(hub, "reverse", [{ sku: "A", quantity: "4" }], { reverses: wrong.movement_id })).expect(422, "quantity_differs");
	const back = { source: "wms", source_event_id: "back-1", type: "reverse", occurred_at: new Date().toISOString(), reverses: wrong.movement_id, lines: [{ sku: "A", location: "east", quantity: "5" }] };
	const first = (await hub.post("/v1/stock/movements", back)).expect(200).json;
	const again = (await hub.post("/v1/stock/movements", back)).expect(200).json;
	assert.equal(again.movement_id, first.movement_id);
	assert.equal(again.duplicate, true);
	assert.equal(inState(await hub.stock("A"), "free"), 0);
	await hub.stop();
	await hub.start();
	(await move(hub, "reverse", [{ sku: "A", quantity: "5" }], { reverses: wrong.movement_id })).expect(409, "already_reversed");
	(await move(hub, "reverse", undefined, { reverses_event_id: "typed-twice" })).expect(200);
	assert.equal(inState(await hub.stock("B"), "free"), 0);
	(await move(hub, "reverse", undefined, { reverses_event_id: "typed-twice" })).expect(409, "already_reversed");
	(await move(hub, "reverse", undefined, { reverses: "0190a000-0000-7000-8000-000000000000" })).expect(404, "movement_not_found");
	(await move(hub, "reverse", undefined, { reverses: first.movement_id })).expect(422, "not_reversible");
	(await move(hub, "reverse")).expect(422);
	assert.deepEqual((await history(hub, "A", 10)).map((m) => m.type), ["reverse", "receive"]);
	await hub.audit();
});

test("counts speak of their instant, whatever came in between", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
	(await move(hub, "receive", [{ sku: "A", quantity: "10" }], { occurred_at: ago(60) })).expect(200);
	(await move(hub, "ship", [{ sku: "A", quantity: "2" }], { occurred_at: ago(5) })).expect(200);
	(await move(hub, "count", [{ sku: "A", quantity: "9" }], { occurred_at: ago(10) })).expect(200);
	assert.equal(inState(await hub.stock("A"), "free"), 7);
	await hub.stop();
	await hub.start();
	/* Left before the count, told after it: the count has seen it. */
	(await move(hub, "ship", [{ sku: "A", quantity: "1" }], { occurred_at: ago(30) })).expect(200);
	assert.equal(inState(await hub.stock("A"), "free"), 7);
	/* An older count changes nothing. */
	const old = (await move(hub, "count", [{ sku: "A", quantity: "100" }], { occurred_at: ago(20) })).expect(200).json;
	assert.equal(inState(await hub.stock("A"), "free"), 7);
	assert.match(JSON.stringify(await hub.read(`/v1/trace/${old.correlation_id}`)), /"fate":"stale"/);
	/* What the books cannot explain is applied, and said. */
	(await move(hub, "ship", [{ sku: "A", quantity: "9" }])).expect(200);
	assert.equal(inState(await hub.stock("A"), "free"), -2);
	const drift = await hub.events(0, "stock.drift");
	assert.deepEqual(drift.map((e) => [e.data.kind, e.data.sku, e.data.location, e.data.quantity]), [["stock_negative", "A", "east", "2"]]);
	assert.match(await (await fetch(`${hub.url}/metrics`)).text(), /crossdock_stock_drift_total\{tenant="acme"\} 1/);
	await hub.audit();
});

test("item records: cases, kits, a system's own names", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	const item = async (record) => {
		(await hub.push("erp", "item", record)).expect(202);
		await until(`${record.sku} is known`, async () => (await hub.events(0, "item.recorded")).some((e) => e.data.id === record.sku));
	};
	await item({ sku: "CUP", base_uom: "EA", uoms: [{ uom: "CS", factor: "12" }], aliases: [{ system: "wms", sku: "4711" }, { system: "shop", sku: "gid-1" }] });
	await item({ sku: "LID", base_uom: "EA" });
	await item({ sku: "SET", kind: "kit", components: [{ sku: "CUP", quantity: "2" }, { sku: "LID", quantity: "1" }] });
	(await move(hub, "receive", [{ sku: "4711", quantity: "1.5", uom: "CS" }, { sku: "LID", quantity: "9" }])).expect(200);
	assert.equal(inState(await hub.stock("CUP"), "free"), 18);
	const refused = (await move(hub, "receive", [{ sku: "LID", quantity: "1" }, { sku: "CUP", quantity: "1", uom: "PL" }])).expect(422, "unknown_uom").json;
	assert.match(JSON.stringify(refused), /\/lines\/1\/uom/);
	(await move(hub, "receive", [{ sku: "CUP", quantity: "0.00001", uom: "CS" }])).expect(422);
	await hub.stop();
	await hub.start();
	(await move(hub, "ship", [{ sku: "SET", quantity: "3" }])).expect(200);
	assert.equal(inState(await hub.stock("CUP"), "free"), 12);
	assert.equal(inState(await hub.stock("LID"), "free"), 6);
	(await move(hub, "count", [{ sku: "SET", quantity: "3" }])).expect(422, "kit_not_stocked");
	/* What is taken back is named likewise. */
	(await move(hub, "receive", [{ sku: "4711", quantity: "2", uom: "CS" }, { sku: "LID", quantity: "1" }], { source_event_id: "too-much" })).expect(200);
	(await move(hub, "ship", [{ sku: "SET", quantity: "1" }], { source_event_id: "not-gone" })).expect(200);
	(await move(hub, "reverse", [{ sku: "SET", quantity: "2" }], { reverses_event_id: "not-gone" })).expect(422, "quantity_differs");
	(await move(hub, "reverse", [{ sku: "SET", quantity: "1" }], { reverses_event_id: "not-gone" })).expect(200);
	(await move(hub, "reverse", [{ sku: "4711", quantity: "2", uom: "CS" }], { reverses_event_id: "too-much" })).expect(200);
	(await move(hub, "reverse", [{ sku: "LID", quantity: "1" }], { reverses_event_id: "too-much" })).expect(200);
	assert.deepEqual([inState(await hub.stock("CUP"), "free"), inState(await hub.stock("LID"), "free")], [12, 6]);
	/* The shop's order names it as the shop does. */
	const o = await hub.capture(order({ "gid-1": "2" }));
	await until("it is reserved", async () => inState(await hub.stock("CUP"), "allocated") === 2);
	assert.equal((await hub.order(o.order_id)).lines[0].backordered, "0");
	(await hub.push("erp", "item", { sku: "CUP", base_uom: "EA", components: [{ sku: "SET", quantity: "1" }] })).expect(202);
	await until("a kit in a circle is refused", async () => (await hub.read("/v1/exceptions")).items.some((e) => e.kind === "item_refused"));
	await hub.audit();
});

test("goods on their way, returns, consigned stock", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	(await move(hub, "receive", [{ sku: "A", quantity: "10", lot: "L" }])).expect(200);
	(await move(hub, "move", [{ sku: "A", quantity: "4", to_location: "west" }], { transfer_id: "T1", expected_at: "2030-01-01T00:00:00Z" })).expect(200);
	assert.equal(inState(await hub.stock("A"), "in_transit"), 4);
	assert.equal(await hub.available("shop", "A"), "6");
	(await move(hub, "receive", [{ sku: "A", location: "west", quantity: "4" }], { transfer_id: "T1" })).expect(200);
	assert.equal(inState(await hub.stock("A"), "in_transit"), 0);
	assert.equal(await hub.available("shop", "A"), "8"); /* two are west's safety stock */
	(await move(hub, "return", [{ sku: "A", quantity: "1" }], { return_id: "R1", expected_at: "2030-01-01T00:00:00Z" })).expect(200);
	assert.equal(inState(await hub.stock("A"), "returning"), 1);
	(await move(hub, "return", [{ sku: "A", quantity: "1", state: "free" }], { return_id: "R1" })).expect(200);
	assert.equal(inState(await hub.stock("A"), "returning"), 0);
	assert.equal(await hub.available("shop", "A"), "9");
	(await move(hub, "receive", [{ sku: "A", quantity: "50", owner: "Maker" }])).expect(200);
	assert.equal(await hub.available("shop", "A"), "9");
	await hub.audit();
});

test("consigned stock is sold by the channel that names its owner, who is told of when it leaves", async (t) => {
	const { hub, shop, erp, wms } = await world(t, ["shop", "erp", "wms"], { shop: ", consigned: [globex, acme]" });
	(await move(hub, "receive", [{ sku: "A", quantity: "1" }, { sku: "A", quantity: "2", owner: "acme" }, { sku: "A", quantity: "2", owner: "globex" }, { sku: "A", quantity: "9", owner: "other" }])).expect(200);
	const told = await until("the shop is told", () => shop.of("/availability").flatMap((r) => r.json.items).find((i) => i.sku === "A"));
	assert.equal(told.available, "5");
	const held = (await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "A", quantity: "2" }] })).expect(201).json;
	assert.deepEqual(held.lines.map((l) => [l.owner, l.quantity]), [[undefined, "1"], ["globex", "1"]]);
	(await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "A", quantity: "4" }] })).expect(409, "insufficient_stock");
	const { order_id } = await hub.capture(order({ A: "4" }, { reservation_id: held.reservation_id }));
	const asked = await until("the warehouse is asked", () => wms.of("/shipment-requests")[0]?.json);
	assert.deepEqual(asked.lines.map((l) => [l.owner, l.quantity]), [[undefined, "1"], ["globex", "2"], ["acme", "1"]]);
	await hub.kill();
	await hub.start();
	const { allocations } = (await hub.order(order_id)).lines[0];
	assert.deepEqual(allocations.map((a) => [a.owner, a.quantity]), [[undefined, "1"], ["globex", "2"], ["acme", "1"]]);
	(await hub.push("wms", "shipment", shipment(order_id, { A: "4" }))).expect(202);
	await hub.orderIs(order_id, "shipped");
	const [left] = await hub.events(0, "shipment.created");
	assert.deepEqual(left.data.consigned, [["globex", "2"], ["acme", "1"]].map(([owner, quantity]) => ({ sku: "A", location: "east", owner, from: "allocated", to: "outside", quantity })));
	await until("the ERP is told", () => erp.of("/shipments").some((r) => r.json.consigned?.length === 2));
	const free = Object.fromEntries((await hub.stock("A")).positions.map((p) => [p.owner ?? "ours", p.states.free ?? "0"]));
	assert.deepEqual(free, { ours: "0", acme: "1", globex: "0", other: "9" });
	await hub.audit();
});
