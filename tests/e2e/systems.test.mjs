/* What GET /v1/systems says of a system that is away, and that the counters are what there is after a kill. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { order, until, world } from "./harness.mjs";

test("a system that is away is seen as failing, with the cause, and as good when it is back", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	const good = await hub.read("/v1/systems/erp");
	assert.equal(good.health, "good");
	assert.equal(good.breaker, "closed");
	await erp.stop();
	const o = await hub.capture(order({ A: "1" }));
	const away = await until("the ERP is found to be away", async () => {
		const s = await hub.read("/v1/systems/erp");
		return s.state === "backing_off" && s.failures > 0 && s;
	});
	assert.equal(away.health, "failing");
	assert.ok(["open", "half_open"].includes(away.breaker), away.breaker);
	assert.ok(away.last_failure && away.last_failure_at && away.backlog >= 1 && away.oldest_age_ms >= 0, JSON.stringify(away));
	/* A request that was cut off on a kept connection may have arrived: that is unknown, not technical. */
	assert.ok(away.outcomes.technical + away.outcomes.unknown >= 1, JSON.stringify(away.outcomes));
	const { items } = await hub.read("/v1/systems");
	assert.equal(items.find((s) => s.id === "shop").health, "good");
	await erp.again();
	await hub.orderIs(o.order_id, "released");
	const back = await until("the ERP is good again", async () => {
		const s = await hub.read("/v1/systems/erp");
		return s.health === "good" && s.backlog === 0 && s;
	});
	assert.ok(back.outcomes.delivered >= 1 && back.lag.count >= 1 && back.lag.p99_us > 0, JSON.stringify(back));
	assert.ok(back.last_success_at);
	(await hub.post("/v1/systems/erp/pause", {})).expect(200);
	assert.equal((await hub.read("/v1/systems/erp")).health, "paused");
});

test("the counters are what there is, also after a kill", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "1000" });
	let tried = 0;
	erp.handler = (r) => (r.method === "POST" && ++tried % 3 === 0 ? { status: 500 } : undefined);
	const taken = [];
	for (let i = 0; i < 10; i++)
		taken.push(await hub.capture(order({ A: "1" })));
	await hub.kill();
	await hub.start();
	await hub.audit();
	for (const o of taken)
		await hub.orderIs(o.order_id, "released");
	const { orders, orders_total, deliveries } = await hub.read("/v1/overview");
	assert.deepEqual(orders, { released: 10 });
	assert.equal(orders_total, 10);
	assert.equal(deliveries.find((d) => d.operation === "order.post" && d.status === "delivered").count, 10);
	await hub.audit();
});
