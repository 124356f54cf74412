/* What a channel promises while the ERP is away, by its policy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { order, until, world } from "./harness.mjs";

const MINUTE = 60_000;

/* The ERP is not reachable, and the hub has seen that: an order for one was taken and could not be posted. */
async function gone(hub, erp) {
	await erp.stop();
	const probe = await hub.capture(order({ A: "1" }));
	const event = await until("the ERP is away", async () => (await hub.events(0, "channel.erp_away"))[0]);
	return { probe, event };
}

async function openExceptions(hub) {
	const { items } = await hub.read("/v1/exceptions");
	return items.filter((e) => e.kind === "erp_away" && !e.resolved_at);
}

test("over the limit an order waits for the ERP, and goes on with the stock of that moment", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"], { shop: ', when_erp_away: {over_limit: hold, max_quantity: "5"}' });
	await hub.count({ A: "20", B: "20" });
	const { probe, event } = await gone(hub, erp);
	assert.deepEqual([event.data.channel, event.data.cause, event.data.over_limit], ["shop", "failing", "hold"]);

	const small = await hub.capture(order({ A: "5" }));
	const big = await hub.capture(order({ A: "6" }));
	const second = await hub.capture(order({ B: "19" }));
	const third = await hub.capture(order({ A: "7" }));
	await hub.orderIs(small.order_id, "reserved");
	const held = await hub.orderIs(big.order_id, "on_hold");
	assert.equal(held.lines[0].reserved ?? "0", "0");
	const { text: timeline } = await hub.get(`/v1/orders/${big.order_id}/timeline`);
	assert.match(timeline, /The ERP is away \(failing\), and a line is for more than max_quantity/);
	assert.equal((await openExceptions(hub)).length, 3);
	assert.match((await hub.get("/metrics")).text, /crossdock_erp_away{[^}]*} 1/);
	assert.match((await hub.get("/metrics")).text, /crossdock_erp_away_decisions_total{[^}]*decision="held"[^}]*} 3/);
	(await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "A", quantity: "6" }] })).expect(503, "erp_away");
	(await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "A", quantity: "5" }] })).expect(201);

	/* A person releases one before; another is cancelled, and its exception with it. */
	const mine = (await openExceptions(hub)).find((e) => e.order_id === second.order_id);
	(await hub.post(`/v1/exceptions/${mine.exception_id}/resolve`, { resolution: "they are good for it", action: "release" })).expect(200);
	await hub.orderIs(second.order_id, "reserved");
	(await hub.post(`/v1/orders/${third.order_id}/cancel`, {})).expect(200);
	assert.equal((await openExceptions(hub)).length, 1);

	/* A restart in between decides the same. */
	await hub.kill();
	await hub.start();
	const after = await hub.capture(order({ A: "8" }));
	await hub.orderIs(after.order_id, "on_hold");

	await hub.count({ A: "12" });
	await erp.again();
	await hub.orderIs(probe.order_id, "released");
	await hub.orderIs(big.order_id, "released");
	const last = await until("the last one goes on", async () => {
		const o = await hub.order(after.order_id);
		return o.status !== "on_hold" && o;
	});
	assert.ok(Number(last.lines[0].backordered) > 0, JSON.stringify(last.lines));
	await until("nothing is left to decide", async () => (await openExceptions(hub)).length === 0);
	const back = await until("it is back", () => hub.events(event.position, "channel.erp_back").then((e) => e[0]));
	assert.equal(back.data.channel, "shop");
	assert.match((await hub.get("/metrics")).text, /crossdock_erp_away{[^}]*} 0/);
	await hub.audit();
});

test("an order is refused with a code of its own, and taken when the ERP is back", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"], { shop: ', when_erp_away: {over_limit: refuse, max_value: {GBP: "100"}}' });
	await hub.count({ A: "50" });
	(await hub.post("/v1/systems/erp/pause", {})).expect(200);
	await until("it is told", async () => (await hub.events(0, "channel.erp_away"))[0]?.data.cause === "paused");
	const priced = (quantity) => {
		const o = order({ A: quantity });
		o.currency = "GBP";
		delete o.totals;
		o.lines.forEach((l) => (l.unit_price = "20.00"));
		return o;
	};
	await hub.capture(priced("5"));
	const dear = priced("6");
	(await hub.post("/v1/orders", dear, { headers: { "idempotency-key": "dear" } })).expect(503, "erp_away");
	const unpriced = priced("1");
	unpriced.lines.forEach((l) => delete l.unit_price);
	(await hub.post("/v1/orders", unpriced)).expect(503, "erp_away");
	(await hub.post("/v1/systems/erp/resume", {})).expect(200);
	(await hub.post("/v1/orders", dear, { headers: { "idempotency-key": "dear" } })).expect(202);
	await until("both are posted", () => erp.of("/orders").length === 2);
	await hub.audit();
});

test("silence and age count as well", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"], {
		shop: ', when_erp_away: {over_limit: hold, max_share: 50%, silent_after: 30m, max_age: 2h}',
	});
	await hub.count({ A: "100" });
	await hub.advance(31 * MINUTE);
	await until("it is told", async () => (await hub.events(0, "channel.erp_away"))[0]?.data.cause === "silent");
	await hub.orderIs((await hub.capture(order({ A: "50" }))).order_id, "released");
	await hub.orderIs((await hub.capture(order({ A: "26" }))).order_id, "on_hold");
	await hub.advance(120 * MINUTE);
	await hub.orderIs((await hub.capture(order({ A: "1" }))).order_id, "on_hold");
	/* Any message is a sign of life. */
	(await hub.push("wms", "item", { sku: "B", name: "B", base_uom: "EA" })).expect(202);
	await until("they go on", async () => (await openExceptions(hub)).length === 0);
	await hub.audit();
});
