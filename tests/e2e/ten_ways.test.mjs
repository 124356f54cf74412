/*
 * The ten ways in which stock goes wrong. Each is told in scenes, written once against a small interface; a scene must hold on
 * Crossdock (ten_ways.mjs), and it must fail on what is usually written first (naive.mjs): one that cannot fail shows nothing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Naive } from "./naive.mjs";
import { Crossdock } from "./ten_ways.mjs";

function way(sentence, scenes) {
	test(sentence, async (t) => {
		for (const [name, scene] of Object.entries(scenes)) {
			await t.test(name, async (s) => {
				const w = await Crossdock.start(s);
				await scene(w);
				await w.finally();
			});
			await t.test(`${name}: the naive one fails`, () =>
				assert.rejects(scene(new Naive()), (e) => e instanceof assert.AssertionError || assert.fail(`not by what it asserts: ${e.stack}`)));
		}
	});
}

const times = (n, call) => Promise.all(Array.from({ length: n }, (_, i) => call(i)));
const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const one = (sku, quantity, location) => [{ sku, quantity, ...(location && { location }) }];
const sum = (list, field) => list.reduce((n, x) => n + x[field], 0);

way("the last unit is sold once, however many ask at once", {
	"twenty carts": async (w) => {
		await w.count({ A: 1 });
		const got = await times(20, () => w.reserve(one("A", 1)));
		assert.equal(got.filter(Boolean).length, 1);
		assert.equal(await w.available("shop", "A"), 0);
	},
	"twelve orders for five": async (w) => {
		await w.count({ A: 5 });
		const ids = await times(12, () => w.order(one("A", 1)));
		const lines = (await Promise.all(ids.map((id) => w.decided(id)))).flat();
		assert.equal(sum(lines, "allocated"), 5);
		assert.equal(sum(lines, "backordered"), 7);
	},
});

way("what is said to be there is what the records add up to", {
	"changes that come at once, and a power cut": async (w) => {
		await w.count({ A: 50 });
		await times(30, (i) => (i % 3 === 0 ? w.move("receive", { A: 2 }) : i % 3 === 1 ? w.move("ship", { A: 1 }) : w.reserve(one("A", 1))));
		await w.restart();
		const { said, records } = await w.books("A");
		assert.deepEqual(said, records);
		assert.deepEqual(said, { onHand: 60, taken: 10 });
	},
	"an order that is shipped in parts": async (w) => {
		await w.count({ A: 10 });
		const id = await w.order(one("A", 5));
		await w.ship(id, { A: 2 });
		await w.until("two are gone", async () => (await w.books("A")).said.onHand === 8);
		await w.ship(id, { A: 3 });
		await w.until("the rest is gone", async () => (await w.books("A")).said.onHand === 5);
		const { said, records } = await w.books("A");
		assert.deepEqual(said, records);
		assert.deepEqual(said, { onHand: 5, taken: 0 });
	},
});

way("lines and kits that share an item are checked together", {
	"two lines of a reservation": async (w) => {
		await w.count({ A: 3 });
		assert.equal(await w.reserve([...one("A", 2), ...one("A", 2)]), null);
		assert.equal(await w.available("shop", "A"), 3);
	},
	"two lines of an order": async (w) => {
		await w.count({ A: 3 });
		const lines = await w.decided(await w.order([...one("A", 2), ...one("A", 2)]));
		assert.deepEqual([sum(lines, "allocated"), sum(lines, "backordered")], [3, 1]);
	},
	"two kits with a common component": async (w) => {
		await w.count({ CUP: 2, BOX: 9 });
		await w.kit("PAIR", { CUP: 2 });
		await w.kit("GIFT", { CUP: 1, BOX: 1 });
		const kits = async () => [await w.available("shop", "PAIR"), await w.available("shop", "GIFT")];
		assert.deepEqual(await kits(), [1, 2]);
		assert.ok(await w.reserve(one("CUP", 1)));
		assert.deepEqual(await kits(), [0, 1]);
		await w.move("ship", { GIFT: 1 });
		assert.deepEqual(await kits(), [0, 0]);
	},
});

way("a kit and its parts, sold at once, are never more than there is", {
	"orders for both": async (w) => {
		await w.count({ CUP: 6 });
		await w.kit("SIX", { CUP: 3 });
		const ids = await times(12, (i) => w.order(one(i % 2 ? "SIX" : "CUP", 1)));
		const lines = (await Promise.all(ids.map((id) => w.decided(id)))).flat();
		const sold = (sku) => sum(lines.filter((l) => l.sku === sku), "allocated");
		assert.equal(sold("CUP") + 3 * sold("SIX"), 6);
		assert.deepEqual((await w.books("CUP")).said, { onHand: 6, taken: 6 });
	},
});

way("a sale that is told twice is booked once", {
	"by a call and by webhooks": async (w) => {
		await w.count({ A: 10 });
		await w.hears(one("A", 3));
		await w.until("it is allocated", async () => (await w.books("A")).said.taken >= 3);
		await w.order(one("B", 1)); /* whatever came before it has been looked at by then */
		assert.equal((await w.books("A")).said.taken, 3);
		assert.equal(await w.available("shop", "A"), 7);
	},
	"a shipment": async (w) => {
		await w.count({ A: 10 });
		const id = await w.order(one("A", 3));
		for (let i = 0; i < 3; i++)
			await w.ship(id, { A: 3 }, { shipment_id: "S1" });
		await w.until("it has left", async () => (await w.books("A")).said.onHand <= 7);
		await w.move("receive", { A: 1 });
		assert.equal((await w.books("A")).said.onHand, 8);
	},
});

way("an absolute number does not bring back what was just sold", {
	"a count from before the sale": async (w) => {
		await w.move("receive", { A: 10 }, { at: ago(60) });
		await w.move("ship", { A: 3 }, { at: ago(5) });
		await w.count({ A: 10 }, { at: ago(10) });
		assert.equal(await w.at("A", "east", "free"), 7);
	},
	"a count of what is sold and not yet gone": async (w) => {
		await w.count({ A: 2 });
		await w.until("the shop shows it", async () => (await w.shows("shop", "A")) === 2);
		await w.decided(await w.order(one("A", 2)));
		await w.count({ A: 2 });
		assert.equal(await w.available("shop", "A"), 0);
		await w.until("the shop shows none", async () => (await w.shows("shop", "A")) === 0);
	},
	"a sale that the shop has not told yet": async (w) => {
		await w.count({ A: 5 });
		await w.until("the shop shows it", async () => (await w.shows("shop", "A")) === 5);
		await w.sellsUnheard("A", 2);
		await w.move("receive", { A: 1 });
		await w.until("the shop shows the new one", async () => (await w.shows("shop", "A")) !== 3);
		assert.equal(await w.shows("shop", "A"), 4);
		await w.decided(await w.order(one("A", 2)));
		await w.move("receive", { A: 1 });
		await w.until("all of it is counted", async () => (await w.shows("shop", "A")) === 5);
	},
});

way("what is confirmed is reserved at a place that has it", {
	"an order for more than the first place has": async (w) => {
		await w.count({ A: 1 });
		await w.count({ A: 5 }, { location: "west" });
		const lines = await w.decided(await w.order(one("A", 3)));
		assert.equal(sum(lines, "allocated"), 3);
		for (const location of ["east", "west"])
			assert.ok((await w.at("A", location, "free")) >= 0, location);
		assert.equal((await w.at("A", "east", "allocated")) + (await w.at("A", "west", "allocated")), 3);
	},
	"a reservation at one place": async (w) => {
		await w.count({ A: 1 });
		await w.count({ A: 9 }, { location: "west" });
		assert.equal(await w.reserve(one("A", 2, "east")), null);
		assert.equal(await w.at("A", "east", "free"), 1);
	},
});

way("what is given up comes back once, to where it was taken from", {
	"a reservation that fails at its second line": async (w) => {
		await w.count({ A: 3, B: 1 });
		assert.equal(await w.reserve([...one("A", 1), ...one("B", 5)]), null);
		assert.equal(await w.at("A", "east", "free"), 3);
	},
	"an order that is cancelled twice": async (w) => {
		await w.erpIsAway();
		await w.count({ A: 0 });
		await w.count({ A: 5 }, { location: "west" });
		const id = await w.order(one("A", 3));
		assert.equal(sum(await w.decided(id), "allocated"), 3);
		await w.cancel(id);
		await w.cancel(id);
		assert.deepEqual([await w.at("A", "east", "free"), await w.at("A", "west", "free")], [0, 5]);
	},
});

way("messages that come twice and out of order add up to the same", {
	"counts": async (w) => {
		const newer = { id: "c2", at: ago(10) }, older = { id: "c1", at: ago(20) };
		for (const [n, message] of [[5, newer], [9, older], [5, newer], [9, older]])
			await w.count({ A: n }, message);
		assert.equal(await w.at("A", "east", "free"), 5);
	},
	"movements, the last of them first, each three times": async (w) => {
		const feed = [["receive", 10, ago(30)], ["ship", 3, ago(20)], ["ship", 2, ago(10)]].map(([type, n, at], i) => [type, { A: n }, { id: `m${i}`, at }]);
		for (const movement of [...feed, ...feed, ...feed].reverse())
			await w.move(...movement);
		assert.equal(await w.at("A", "east", "free"), 5);
	},
});

way("what is committed late, or behind a page that failed, is not skipped", {
	"rows that become visible behind the watermark": async (w) => {
		const row = (id, minutes, quantity) => ({ id, at: ago(minutes), sku: "A", quantity });
		const slow = row("slow", 9, 100); /* began first, was committed last */
		const rows = [row("r1", 10, 1), row("r2", 8, 10)];
		await w.poll(rows);
		await w.poll([...rows, slow]);
		await w.poll([...rows, slow]);
		assert.equal(await w.at("A", "east", "free"), 111);
	},
	"a row that cannot be read": async (w) => {
		const rows = [1, 2, 3, 4].map((n) => ({ id: `r${n}`, at: ago(10 - n), sku: "A", quantity: 10 ** (n - 1), broken: n === 2 }));
		await w.poll(rows);
		rows[1].broken = false; /* put right at the source */
		await w.poll(rows);
		assert.equal(await w.at("A", "east", "free"), 1111);
	},
});

way("the zero is sent, and nothing that is stuck holds up the rest", {
	"the last one is sold": async (w) => {
		await w.count({ A: 1 });
		await w.until("the shop shows it", async () => (await w.shows("shop", "A")) === 1);
		await w.order(one("A", 1));
		await w.until("the shop shows none", async () => (await w.shows("shop", "A")) === 0);
	},
	"a shop that was away shows what is true, not what it missed": async (w) => {
		await w.count({ A: 5, B: 5 });
		await w.until("the shop shows it", async () => (await w.shows("shop", "A")) === 5);
		await w.shopIsAway(true);
		for (const n of [2, 2, 1])
			await w.decided(await w.order(one("A", n)));
		await w.until("the portal knows", async () => (await w.shows("portal", "A")) === 0);
		await w.shopIsAway(false);
		await w.until("the shop shows none", async () => (await w.shows("shop", "A")) === 0);
		assert.equal(await w.shows("shop", "B"), 5);
	},
	"an order that the ERP will not take": async (w) => {
		await w.count({ A: 50 });
		await w.refuses("poison");
		await w.orderWith("poison", one("A", 1));
		await times(5, (i) => w.orderWith(`good-${i}`, one("A", 1)));
		await w.until("the others are there", async () => (await w.reached()).filter((id) => id.startsWith("good-")).length === 5);
	},
});
