/*
 * Of fifty destinations half are bad. Nothing here is measured: the healthy ones come to their end while the bad ones are held as
 * they are, which the test alone ends. (How much later they get it is in bench/destinations.)
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ORDERS, round, settle, world } from "./destinations.mjs";
import { until } from "./harness.mjs";

test("of fifty destinations the bad ones hurt only themselves", { timeout: 240_000 }, async (t) => {
	const { hub, channels, calm } = await world(t);
	const healthy = channels.filter((c) => c.kind === "healthy"), bad = channels.filter((c) => c.kind !== "healthy");
	await hub.count({ A: "100000" });
	const orders = [];
	for (let i = 0; i < ORDERS; i++)
		orders.push(...(await round(hub, channels)));
	/* All orders go their way, whichever channel they are from: no ERP or warehouse waits for a channel. */
	for (const o of orders)
		await hub.orderIs(o.order_id, "shipped");
	await until("the healthy ones have everything", async () => {
		const { items } = await hub.read("/v1/systems");
		return items.filter((s) => healthy.some((c) => c.name === s.id) && s.backlog === 0).length === healthy.length;
	});
	/* The others are as bad as they were meant to be. */
	const { items } = await hub.read("/v1/systems");
	for (const c of bad.filter(({ kind }) => ["refusing", "silent"].includes(kind))) {
		const s = items.find(({ id }) => id === c.name);
		assert.ok(s.backlog > 0, `${c.name}: ${JSON.stringify(s)}`);
		assert.equal(s.outcomes.delivered, 0, c.name);
	}
	assert.ok(channels.find((c) => c.kind === "flapping").peer.log.some((r) => r.lost));

	await settle({ hub, channels, calm });
});
