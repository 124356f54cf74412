/* Serial numbers as their owner sees them: where each one is, from the receipt to the customer and back, over kills. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { order, postgres, shipment, until, world } from "./harness.mjs";

let last = 0;
const at = (minute) => new Date(Date.UTC(2026, 2, 1, 8, minute)).toISOString();
const fact = (type, minute, serials, more = {}, line = {}) => ({
	source: "wms", source_event_id: `sn-${++last}`, type, occurred_at: at(minute),
	lines: [{ sku: "TV", location: "east", quantity: String(serials.length), serials, ...line }], ...more,
});
const tell = async (hub, ...args) => (await hub.post("/v1/stock/movements", fact(...args))).expect(200).json;

async function item(hub, record) {
	(await hub.push("erp", "item", record)).expect(202);
	await until(`${record.sku} is known`, async () => (await hub.events(0, "item.recorded")).some((e) => e.data.id === record.sku));
}

async function all(hub, query = "", limit = 2) {
	const found = [];
	for (let cursor = ""; cursor !== null;) {
		const page = await hub.read(`/v1/stock/TV/serials?limit=${limit}${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
		assert.ok(page.items.length <= limit);
		found.push(...page.items);
		cursor = page.next_cursor;
	}
	return found;
}

const states = async (hub, query) => Object.fromEntries((await all(hub, query)).map((s) => [s.serial, `${s.state} ${s.location ?? ""}`.trim()]));
const one = (hub, serial) => hub.read(`/v1/stock/TV/serials/${encodeURIComponent(serial)}`);
const drift = async (hub) => (await hub.events(0, "serial.drift")).map((e) => [e.data.kind, e.data.serial, e.data.known?.state, e.data.known?.location]);

for (const store of ["SQLite", "PostgreSQL"])
	test(`in, out, back, taken back, with ${store} and a kill`, async (t) => {
		const options = store === "PostgreSQL" ? { store: await postgres(t) } : {};
		const { hub, shop, erp } = await world(t, ["shop", "erp", "wms"], options);
		await item(hub, { sku: "TV", base_uom: "EA", tracking: "serial" });
		await tell(hub, "receive", 1, ["A/1", "A 2", "Ä3", "A4"]);
		const o = await hub.capture(order({ TV: "2" }));
		await until("it is posted", () => erp.objects.length > 0);
		await until("it is asked for", async () => ["accepted", "released"].includes((await hub.order(o.order_id)).status));
		const sent = shipment(o.order_id, { TV: "2" }, { shipped_at: at(10) });
		sent.lines[0].serials = ["A/1", "Ä3"];
		(await hub.push("wms", "shipment", sent)).expect(202);
		await hub.orderIs(o.order_id, "shipped");
		assert.deepEqual(await states(hub), { "A 2": "in_stock east", "A/1": "shipped east", A4: "in_stock east", "Ä3": "shipped east" });
		assert.equal((await one(hub, "Ä3")).order_id, o.order_id);
		/* Channel and ERP are told them; the order's timeline shows them. */
		for (const peer of [shop, erp])
			await until(`${peer.name} is told`, () => peer.requests.some((r) => r.path === "/shipments" && JSON.stringify(r.json).includes("A/1")));
		assert.match(JSON.stringify(await hub.read(`/v1/orders/${o.order_id}/timeline`)), /A\/1/);

		await hub.kill();
		await hub.start();
		/* What does not fit is applied, and said with where it was thought to be. */
		const twice = await tell(hub, "ship", 20, ["A/1"]);
		await tell(hub, "receive", 21, ["A4"]);
		await tell(hub, "move", 22, ["A4"], {}, { to_location: "west" });
		await tell(hub, "ship", 23, ["A4"]);
		await tell(hub, "return", 24, ["A 2"]);
		(await hub.post("/v1/stock/movements", { ...fact("ship", 25, []), lines: [{ sku: "TV", location: "east", quantity: "1" }] })).expect(200);
		assert.deepEqual(await drift(hub), [
			["serial_shipped_twice", "A/1", "shipped", "east"],
			["serial_in_stock", "A4", "in_stock", "east"],
			["serial_elsewhere", "A4", "in_stock", "west"],
			["serial_not_shipped", "A 2", "in_stock", "east"],
			["serials_missing", undefined, undefined, undefined],
		]);
		const open = (await hub.read("/v1/exceptions")).items.filter((e) => e.kind.startsWith("serial"));
		assert.equal(open.length, 5);
		assert.match(open.find((e) => e.kind === "serial_elsewhere").detail, /A4.*in_stock at west/);

		/* Late: in the history, and it moves nothing. A repeat does nothing at all. */
		const late = fact("quarantine", 5, ["A/1"]);
		(await hub.post("/v1/stock/movements", late)).expect(200);
		assert.equal((await hub.post("/v1/stock/movements", late)).expect(200).json.duplicate, true);
		assert.equal((await one(hub, "A/1")).state, "shipped");
		await hub.kill();
		await hub.start();
		(await hub.post("/v1/stock/movements", { source: "wms", source_event_id: `sn-${++last}`, type: "reverse", occurred_at: at(30), reverses: twice.movement_id })).expect(200);
		const { state, order_id, history } = await one(hub, "A/1");
		assert.deepEqual([state, order_id], ["shipped", o.order_id]);
		assert.deepEqual(history.map((h) => [h.type, h.after.state, h.late ?? h.taken_back ?? false]), [
			["reverse", "shipped", false], ["quarantine", "quarantined", true], ["ship", "shipped", true], ["ship", "shipped", false], ["receive", "in_stock", false],
		]);
		await hub.audit();
	});

test("lists by place, state and number; a number that nobody named", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await item(hub, { sku: "TV", base_uom: "EA", tracking: "serial" });
	await tell(hub, "receive", 1, ["1", "2", "3", "4", "5"]);
	await tell(hub, "move", 2, ["2", "4"], {}, { to_location: "west" });
	await tell(hub, "scrap", 3, ["5"]);
	assert.deepEqual(await states(hub, "&location=west"), { 2: "in_stock west", 4: "in_stock west" });
	assert.deepEqual(await states(hub, "&state=scrapped"), { 5: "scrapped east" });
	assert.deepEqual(await states(hub, "&location=east&state=in_stock"), { 1: "in_stock east", 3: "in_stock east" });
	assert.deepEqual(await states(hub, "&serial=3"), { 3: "in_stock east" });
	assert.deepEqual(await states(hub, "&serial=9"), {});
	(await hub.get("/v1/stock/TV/serials?state=gone")).expect(400, "unknown_status");
	(await hub.get("/v1/stock/TV/serials/9")).expect(404, "serial_not_found");
	const page = await hub.read("/v1/stock/TV/serials/2?limit=1");
	assert.equal(page.history[0].type, "move");
	assert.equal((await hub.read(`/v1/stock/TV/serials/2?limit=1&cursor=${page.next_cursor}`)).history[0].type, "receive");
	(await hub.post("/v1/stock/movements", fact("receive", 4, ["x".repeat(101)]))).expect(422);
	(await hub.post("/v1/stock/movements", fact("receive", 4, ["a\u0007b"]))).expect(422);
	await hub.audit();
});

test("a count finds what is missing and what is there", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await item(hub, { sku: "TV", base_uom: "EA", tracking: "serial" });
	await tell(hub, "receive", 1, ["1", "2"]);
	await tell(hub, "receive", 1, ["3"], {}, { location: "west" });
	await hub.kill();
	await hub.start();
	await tell(hub, "count", 9, ["1", "3"]);
	assert.deepEqual(await states(hub), { 1: "in_stock east", 2: "unknown east", 3: "in_stock east" });
	assert.deepEqual(await drift(hub), [["serial_found", "3", "in_stock", "west"], ["serial_missing", "2", "in_stock", "east"]]);
	await hub.audit();
});

test("whoever is told of a shipment is told the serial numbers of its kits, whole or in parts", async (t) => {
	const { hub, shop, erp } = await world(t, ["shop", "erp", "wms"]);
	await item(hub, { sku: "TV", base_uom: "EA", tracking: "serial" });
	await item(hub, { sku: "CABLE", base_uom: "EA" });
	await item(hub, { sku: "SET", kind: "kit", components: [{ sku: "TV", quantity: "1" }, { sku: "CABLE", quantity: "2" }] });
	await tell(hub, "receive", 1, ["1", "2"]);
	await hub.count({ CABLE: "4" });
	const o = await hub.capture(order({ SET: "2" }));
	await hub.orderIs(o.order_id, "released");
	const ship = async (minute, lines) => (await hub.push("wms", "shipment", shipment(o.order_id, {}, { shipped_at: at(minute), lines: lines.map((l) => ({ line_id: "1", location: "east", ...l })) }))).expect(202);
	const whole = [{ sku: "SET", quantity: "1", component_serials: [{ sku: "TV", serials: ["1"] }] }];
	await ship(5, whole);
	await hub.orderIs(o.order_id, "partially_shipped");
	await ship(6, [{ sku: "TV", quantity: "1", serials: ["2"] }, { sku: "CABLE", quantity: "2" }]);
	await hub.orderIs(o.order_id, "shipped");
	for (const peer of [shop, erp]) {
		await until(`${peer.name} is told`, () => peer.of("/shipments").length === 2);
		const [first, second] = peer.of("/shipments").map((r) => r.json);
		assert.deepEqual(first.lines, [{ line_id: "1", ...whole[0], location: "east" }], peer.name);
		assert.deepEqual(second.components.map(({ sku, quantity, serials }) => [sku, quantity, serials]), [["TV", "1", ["2"]], ["CABLE", "2", undefined]], peer.name);
	}
	await hub.audit();
});

for (const store of ["SQLite", "PostgreSQL"])
	test(`what a full count lacked and is heard of later, and what explains it, with ${store}`, async (t) => {
		const options = store === "PostgreSQL" ? { store: await postgres(t) } : {};
		const { hub } = await world(t, ["shop", "erp", "wms"], options);
		const missing = async () => (await hub.read("/v1/exceptions")).items.filter((e) => e.kind === "serial_missing");
		await item(hub, { sku: "TV", base_uom: "EA", tracking: "serial" });
		await tell(hub, "receive", 1, ["1", "2"]);
		await tell(hub, "count", 10, ["1"]);
		assert.deepEqual(await states(hub), { 1: "in_stock east", 2: "unknown east" });
		await hub.kill();
		await hub.start();
		/* Received before the count, told after it: the count lacked it. */
		await tell(hub, "receive", 5, ["3"]);
		assert.equal((await one(hub, "3")).state, "unknown");
		const said = (await hub.events(0, "serial.drift")).map((e) => e.data).at(-1);
		assert.deepEqual([said.kind, said.serial, said.known.state, said.counted_at], ["serial_missing", "3", "in_stock", at(10)]);
		assert.deepEqual((await one(hub, "3")).history.map((h) => h.type).sort(), ["count", "receive"]);
		assert.deepEqual((await missing()).map((e) => e.status), ["open", "open"]);
		/* Shipped before it: that explains it, and says so. */
		const shipped = await tell(hub, "ship", 6, ["2"]);
		const [explained] = (await missing()).filter((e) => e.status === "resolved");
		assert.match(explained.detail, /serial number 2 /);
		assert.match(explained.resolution, new RegExp(shipped.movement_id));
		const closed = (await hub.events(0, "exception.resolved")).map((e) => e.data);
		assert.deepEqual(closed.map((e) => [e.exception_id, e.kind]), [[explained.exception_id, "serial_missing"]]);
		(await hub.post(`/v1/exceptions/${explained.exception_id}/resolve`, { resolution: "late" })).expect(409, "exception_resolved");
		assert.equal((await one(hub, "2")).state, "shipped");
		/* It was not shipped after all: then it is missing. */
		await hub.kill();
		await hub.start();
		(await hub.post("/v1/stock/movements", { source: "wms", source_event_id: `sn-${++last}`, type: "reverse", occurred_at: at(30), reverses: shipped.movement_id })).expect(200);
		assert.equal((await one(hub, "2")).state, "unknown");
		assert.equal((await missing()).filter((e) => e.status === "open").length, 2);
		await hub.audit();
	});

test("kits and items that are serialised when they ship", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await item(hub, { sku: "TV", base_uom: "EA", tracking: "serial", serial_level: "shipment" });
	await item(hub, { sku: "CABLE", base_uom: "EA" });
	await item(hub, { sku: "SET", kind: "kit", components: [{ sku: "TV", quantity: "1" }, { sku: "CABLE", quantity: "2" }] });
	const move = async (type, minute, line) => (await hub.post("/v1/stock/movements", { ...fact(type, minute, []), lines: [{ location: "east", ...line }] })).expect(200);
	await move("receive", 1, { sku: "TV", quantity: "5" });
	await move("receive", 1, { sku: "CABLE", quantity: "9" });
	assert.deepEqual(await drift(hub), []);
	await move("ship", 2, { sku: "SET", quantity: "1", component_serials: [{ sku: "TV", serials: ["1"] }] });
	await move("ship", 3, { sku: "SET", quantity: "1", serials: ["2"] });
	assert.deepEqual(await states(hub), { 1: "shipped east", 2: "shipped east" });
	assert.deepEqual(await drift(hub), []);
	await move("ship", 4, { sku: "SET", quantity: "1" });
	assert.deepEqual((await drift(hub)).map(([kind]) => kind), ["serials_missing"]);
	await hub.audit();
});
