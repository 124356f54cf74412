/* The way of a message: stock is counted, shops are told, an order is sold, posted, shipped, and everybody hears of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inState, order, postgres, sandbox, shipment, until, world } from "./harness.mjs";

const stores = { SQLite: () => undefined, PostgreSQL: postgres };

for (const [name, open] of Object.entries(stores)) {
	test(`from a count to a shipment, on ${name}`, async (t) => {
		const { hub, shop, portal, erp, wms } = await world(t, undefined, { store: (await open(t)) ?? "sqlite" });

		const counted = await hub.push("wms", "stock-count", {
			source_event_id: "count-1", occurred_at: new Date().toISOString(),
			lines: [{ sku: "A", location: "east", quantity: "10" }, { sku: "A", location: "west", quantity: "5" }],
		});
		counted.expect(202);
		/* shop: east 10 and west 5 less 2 of safety; portal: half of east less a buffer of 1 */
		await until("shop shows 13", () => shop.told("A") === "13");
		await until("portal shows 4", () => portal.told("A") === "4");

		const sent = order({ A: "4" });
		const captured = await hub.capture(sent, { headers: { "correlation-id": `flow-${name}` } });
		assert.equal(captured.correlation_id, `flow-${name}`);
		const [post] = await until("the ERP has the order", () => erp.of("/orders").length && erp.of("/orders"));
		assert.equal(post.json.order_id, captured.order_id);
		assert.equal(post.json.external_id, sent.external_id);
		assert.deepEqual(post.json.lines.map((l) => [l.sku, l.quantity, l.unit_price]), [["A", "4", "2.55"]]);
		assert.ok(post.key);
		assert.equal(post.headers["correlation-id"], `flow-${name}`);
		assert.match(post.headers["traceparent"], /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);

		const [request] = await until("the warehouse is asked to ship", () => wms.of("/shipment-requests").length && wms.of("/shipment-requests"));
		assert.equal(request.json.order_id, captured.order_id);
		assert.deepEqual(request.json.lines.map((l) => [l.sku, l.quantity]), [["A", "4"]]);
		const released = await hub.orderIs(captured.order_id, "released");
		assert.equal(released.lines[0].released, "4");
		assert.equal(inState(await hub.stock("A"), "allocated"), 4);
		await until("shop shows 9", () => shop.told("A") === "9");

		const moved = shipment(captured.order_id, { A: "4" });
		(await hub.push("wms", "shipment", moved)).expect(202);
		const shipped = await hub.orderIs(captured.order_id, "shipped");
		assert.equal(shipped.lines[0].shipped, "4");
		const stock = await hub.stock("A");
		assert.equal(inState(stock, "allocated"), 0);
		assert.equal(inState(stock, "free"), 11);
		for (const [who, peer] of [["shop", shop], ["the ERP", erp]]) {
			const [told] = await until(`${who} hears of the shipment`, () => peer.of("/shipments").length && peer.of("/shipments"));
			assert.equal(told.json.order_id, captured.order_id);
		}
		assert.equal(portal.of("/shipments").length, 0);

		const timeline = await until("all deliveries of the order have ended", async () => {
			const found = await hub.read(`/v1/orders/${captured.order_id}/timeline`);
			return found.entries.every((e) => e.kind !== "delivery" || e.status === "delivered") && found;
		});
		const trace = await hub.read(`/v1/trace/${encodeURIComponent(captured.correlation_id)}`);
		for (const found of [timeline, trace]) {
			const events = found.entries.filter((e) => e.kind === "event").map((e) => e.type);
			const steps = ["order.captured", "order.reserved", "order.accepted", "order.released", "order.shipped"];
			assert.deepEqual(events.filter((e) => steps.includes(e)), steps);
			const deliveries = found.entries.filter((e) => e.kind === "delivery").map((e) => `${e.operation} ${e.system}`);
			for (const wanted of ["order.post erp", "shipment.request wms", "shipment shop", "shipment erp"])
				assert.ok(deliveries.includes(wanted), `${wanted} in ${deliveries}`);
			assert.ok(found.entries.some((e) => e.kind === "attempt" && e.http_status === 201));
			const times = found.entries.map((e) => Date.parse(e.at));
			assert.deepEqual(times, [...times].sort((a, b) => a - b));
		}
		await hub.audit();
	});
}

test("with the sandbox systems, nobody complains", async (t) => {
	const w = await sandbox(t);
	await w.hub.push("wms", "stock-count", {
		source_event_id: "count-1", occurred_at: new Date().toISOString(),
		lines: [{ sku: "A", location: "east", quantity: "50" }, { sku: "B", location: "west", quantity: "20" }],
	});
	await until("A can be sold", async () => (await w.hub.available("shop", "A")) === "50");
	const orders = [];
	for (let i = 0; i < 5; i++)
		orders.push(await w.hub.capture(order({ A: "2", B: "1" })));
	for (const o of orders)
		await until(`order ${o.order_id} is known to the ERP`, async () => JSON.stringify((await w.state("erp"))).includes(o.order_id));
	const erp = await w.state("erp");
	assert.equal(erp.orders.length, 5);
	assert.deepEqual(erp.problems, {});
	await w.hub.audit();
});
