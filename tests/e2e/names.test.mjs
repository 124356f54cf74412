/* Each system is spoken to in its own names for items, and understood by them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { order, until, world } from "./harness.mjs";

test("shop, ERP and warehouse each have names of their own", async (t) => {
	const { hub, shop, erp, wms } = await world(t, ["shop", "erp", "wms"], {
		systems: {
			shop: { sku: '{case: upper, strip_prefix: "UK-", send: theirs}' },
			erp: { sku: "{send: theirs}" },
			wms: { sku: '{add_prefix: "W-", send: theirs}' },
		},
	});
	const aliases = [{ system: "shop", sku: "85123a" }, { system: "erp", sku: "4711" }];
	(await hub.push("erp", "item", { sku: "W-1", name: "a heart", base_uom: "EA", aliases })).expect(202);
	await until("it is known", async () => (await hub.get("/v1/stock/W-1")).status === 200);
	await hub.count({ 1: "9" });
	assert.equal((await hub.stock("W-1")).on_hand, "9");
	await until("the shop is told by its name", () => shop.told("UK-85123a") === "9");

	/* It compares by that name too. */
	shop.handler = (r) => r.path === "/availability" && { status: 200, body: { stale: r.json.items.map(({ sku }) => ({ sku, available: "8" })) } };
	const told = shop.of("/availability").length;
	await hub.count({ 1: "10" });
	await until("it has compared", () => shop.of("/availability").length > told);
	shop.handler = undefined;
	await until("one is taken to be sold", () => shop.told("UK-85123a") === "9");

	const taken = await hub.capture(order({ "UK-85123A": "2" }));
	await hub.orderIs(taken.order_id, "released");
	assert.deepEqual(erp.of("/orders").map((r) => r.json.lines.map((l) => l.sku)), [["4711"]]);
	assert.deepEqual(wms.of("/shipment-requests").map((r) => r.json.lines.map((l) => l.sku)), [["1"]]);
	await until("the ERP hears of stock by its name", () => erp.of("/stock-transactions").length > 0);
	for (const r of erp.of("/stock-transactions"))
		assert.deepEqual([...new Set(r.json.items.flatMap((i) => (i.lines ?? [i]).map((l) => l.sku)))], ["4711"]);
	const [line] = (await hub.order(taken.order_id)).lines;
	assert.equal(line.sku, "W-1");
	await hub.audit();
});
