/* What channels may sell and are told: kits, ring-fences, goods on their way, old data, and sales that they have not told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { configuration, order, Peer, serve, until } from "./harness.mjs";

const HOUR = 3_600_000;
let last = 0;

/* Peers, and a server whose channels have these rows. */
async function world(t, channels, names = ["shop", "portal", "wms"]) {
	const peers = {};
	for (const name of names)
		peers[name] = await Peer.start(t, name);
	let text = configuration(Object.fromEntries(names.map((name) => [name, peers[name].url])));
	for (const [name, row] of Object.entries(channels))
		text = text.replace(new RegExp(`^ {6}${name}: {locations.*$`, "m"), `      ${name}: {${row}}`);
	return { hub: await serve(t, text), ...peers };
}

const move = async (hub, type, lines, more = {}) =>
	(await hub.post("/v1/stock/movements", {
		source: "wms", source_event_id: `a-${++last}`, type, occurred_at: new Date().toISOString(),
		lines: lines.map((l) => ({ location: "east", ...l })), ...more,
	})).expect(200);
const item = (hub, sku, more = {}) => hub.push("wms", "item", { sku, name: sku, base_uom: "EA", ...more });
const told = (peer, sku, quantity) => until(`${peer.name} is told ${quantity} of ${sku}`, () => peer.told(sku) === quantity);
const fence = (hub, ...items) => hub.call("PUT", "/v1/ring-fences", { body: { items } });

/* A channel that compares: what it shows is only set when we know what it shows. lose: its answer to that request gets lost;
 * forgets: it does not know the keys of requests that it has answered. */
function compares(peer, { lose = () => false, forgets = false } = {}) {
	const shown = new Map();
	peer.handler = (r) => {
		if (r.path !== "/availability" || (!forgets && peer.answers.has(r.key)))
			return undefined;
		const stale = [];
		for (const i of r.json.items) {
			if (i.expected !== undefined && shown.has(i.sku) && i.expected !== shown.get(i.sku))
				stale.push({ sku: i.sku, available: shown.get(i.sku) });
			else
				shown.set(i.sku, i.available);
		}
		const answer = { status: 200, body: stale.length ? { stale } : {} };
		peer.answers.set(r.key, answer);
		return lose(r) ? "lose" : answer;
	};
	return shown;
}

test("a push brings no unit back to life that the channel has sold and not yet told", async (t) => {
	const { hub, shop, portal } = await world(t, { shop: "locations: [east]", portal: "locations: [east]" });
	const shown = compares(shop);
	await move(hub, "receive", [{ sku: "A", quantity: "10" }]);
	await until("the shop shows 10", () => shown.get("A") === "10");
	shown.set("A", "8"); /* two are sold; the order is on its way */
	await move(hub, "receive", [{ sku: "A", quantity: "5" }]);
	await until("the shop shows 13", () => shown.get("A") === "13");
	await told(portal, "A", "13");
	assert.equal(await hub.available("portal", "A"), "13");
	assert.ok(!shop.of("/availability").some((r) => r.json.items.some((i) => i.expected === "8" && Number(i.available) > 13)));
	await hub.stop();
	await hub.start();
	assert.equal(await hub.available("portal", "A"), "13"); /* also after a restart */
	await hub.capture(order({ A: "2" }));
	assert.equal(await hub.available("portal", "A"), "13"); /* they were counted already */
	assert.equal(await hub.available("shop", "A"), "13");
	await hub.audit();
});

test("the first refusal after a restart says what the channel has sold as well", async (t) => {
	const { hub, shop, portal } = await world(t, { shop: "locations: [east]", portal: "locations: [east]" });
	const shown = compares(shop);
	await move(hub, "receive", [{ sku: "A", quantity: "10" }]);
	await until("the shop shows 10", () => shown.get("A") === "10");
	shown.set("A", "7"); /* three are sold, and told */
	await hub.capture(order({ A: "3" }));
	await told(portal, "A", "7");
	await until("nothing is under way", async () => (await hub.read("/v1/deliveries?system=shop&limit=1000")).items.every((d) => d.status === "delivered" || d.status === "superseded"));
	for (const stop of ["kill", "stop"]) {
		await hub[stop]();
		await hub.start();
		const before = Number(await hub.available("portal", "A"));
		shown.set("A", String(before - 2)); /* two are sold; the order is on its way */
		await move(hub, "receive", [{ sku: "A", quantity: "5" }]);
		await told(portal, "A", String(before + 3));
		await until("the shop shows it", () => shown.get("A") === String(before + 3));
		await hub.capture(order({ A: "2" }));
		assert.equal(await hub.available("portal", "A"), String(before + 3));
	}
	await hub.audit();
});

test("what no order explains is kept back for a time only", async (t) => {
	const { hub, shop, portal } = await world(t, { shop: "locations: [east], provisional: 10m", portal: "locations: [east]" });
	const shown = compares(shop);
	await move(hub, "receive", [{ sku: "A", quantity: "10" }]);
	await until("the shop shows 10", () => shown.get("A") === "10");
	shown.set("A", "7");
	await move(hub, "receive", [{ sku: "A", quantity: "1" }]);
	await told(portal, "A", "8");
	await hub.advance(10 * 60_000);
	await told(portal, "A", "11");
	await until("the shop shows 11", () => shown.get("A") === "11");
});

test("a channel that forgets keys refuses the repeat of what it has done: that is no sale", async (t) => {
	const { hub, shop, portal } = await world(t, { shop: "locations: [east], provisional: 1h", portal: "locations: [east]" });
	const lost = [];
	const shown = compares(shop, { forgets: true, lose: (r) => r.json.items.some((i) => i.available === "6" && i.expected === "10") && lost.push(r.key) === 1 });
	await move(hub, "receive", [{ sku: "A", quantity: "10" }]);
	await until("the shop shows 10", () => shown.get("A") === "10");
	await move(hub, "ship", [{ sku: "A", quantity: "4" }]);
	await until("the request comes again", async () => {
		await hub.advance(60_000);
		return shop.of("/availability").filter((r) => r.key === lost[0]).length > 1;
	});
	await until("nothing is under way", async () => (await hub.read("/v1/deliveries?system=shop&limit=1000")).items.every((d) => d.status === "delivered"));
	assert.equal(shown.get("A"), "6");
	assert.deepEqual([await hub.available("shop", "A"), await hub.available("portal", "A")], ["6", "6"]);
	await told(portal, "A", "6");
	assert.ok(!portal.of("/availability").some((r) => r.json.items.some((i) => Number(i.available) < 6)));
	await hub.audit();
});

test("an order that its channel sends again, without a key, is one sale", async (t) => {
	const { hub, shop, portal } = await world(t, { shop: "locations: [east], provisional: 1h", portal: "locations: [east]" });
	const shown = compares(shop);
	await move(hub, "receive", [{ sku: "A", quantity: "10" }]);
	await until("the shop shows 10", () => shown.get("A") === "10");
	shown.set("A", "7"); /* three are sold; the order is on its way, and finds out of a number that comes first */
	await move(hub, "receive", [{ sku: "A", quantity: "1" }]);
	await told(portal, "A", "8");
	const sale = order({ A: "3" });
	const first = (await hub.post("/v1/orders", sale)).expect(202).json;
	for (let i = 0; i < 2; i++)
		assert.equal((await hub.post("/v1/orders", sale)).expect(202).json.order_id, first.order_id);
	await until("the shop shows 8", () => shown.get("A") === "8");
	assert.deepEqual([await hub.available("shop", "A"), await hub.available("portal", "A")], ["8", "8"]);
	await hub.audit();
});

test("a ring-fence is the channel's own, until it has used it up", async (t) => {
	const { hub, shop, portal } = await world(t, { shop: "locations: [east]", portal: "locations: [east]" });
	await move(hub, "receive", [{ sku: "A", quantity: "10" }]);
	(await fence(hub, { sku: "A", channel: "shop", location: "east", quantity: "6" })).expect(200);
	await told(portal, "A", "4");
	assert.equal(await hub.available("shop", "A"), "10");
	const want = (channel, quantity) => hub.post("/v1/reservations", { channel, lines: [{ sku: "A", quantity }] });
	(await want("portal", "5")).expect(409, "insufficient_stock");
	(await want("portal", "4")).expect(201);
	const held = (await want("shop", "2")).expect(201).json;
	const fences = async () => (await hub.read("/v1/ring-fences?channel=shop")).items;
	assert.deepEqual(await fences(), [{ sku: "A", channel: "shop", location: "east", quantity: "6", used: "2", left: "4" }]);
	await hub.stop();
	await hub.start();
	assert.equal((await fences())[0].left, "4");
	(await hub.call("DELETE", `/v1/reservations/${held.reservation_id}`)).expect(200);
	assert.equal((await fences())[0].left, "6");
	const taken = await hub.capture(order({ A: "6" }));
	await hub.orderIs(taken.order_id, "accepted").catch(() => hub.orderIs(taken.order_id, "reserved"));
	assert.equal((await fences())[0].left, "0");
	(await fence(hub, { sku: "NONE", channel: "shop", location: "east", quantity: "1" })).expect(422, "unknown_item");
	(await fence(hub, { sku: "A", channel: "nobody", location: "east", quantity: "1" })).expect(422, "unknown_channel");
	(await fence(hub, { sku: "A", channel: "shop", location: "moon", quantity: "1" })).expect(422, "unknown_location");
	(await fence(hub, { sku: "A", channel: "shop", location: "east", quantity: "0" })).expect(200);
	assert.deepEqual(await fences(), []);
	assert.ok(shop.of("/availability").length > 0);
	await hub.audit();
});

test("ring-fences are listed page by page", async (t) => {
	const { hub } = await world(t, { shop: "locations: [east]" });
	await move(hub, "receive", ["A", "B", "C"].map((sku) => ({ sku, quantity: "1" })));
	(await fence(hub, ...["C", "A", "B"].map((sku) => ({ sku, channel: "shop", location: "east", quantity: "1" })))).expect(200);
	const all = [];
	for (let cursor = ""; cursor !== null;) {
		const page = await hub.read(`/v1/ring-fences?channel=shop&limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
		all.push(...page.items.map((i) => i.sku));
		cursor = page.next_cursor;
	}
	assert.deepEqual(all, ["A", "B", "C"]);
	(await hub.get("/v1/ring-fences?channel=shop&cursor=nonsense")).expect(400, "bad_cursor");
});

test("a kit is as many as its scarcest part allows", async (t) => {
	const { hub, shop, wms } = await world(t, { shop: "locations: [east]" });
	(await item(hub, "KIT", { components: [{ sku: "CUP", quantity: "2" }, { sku: "POT", quantity: "1" }] })).expect(202);
	await move(hub, "receive", [{ sku: "CUP", quantity: "9" }, { sku: "POT", quantity: "5" }]);
	await told(shop, "KIT", "4");
	await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "CUP", quantity: "4" }] });
	await told(shop, "KIT", "2"); /* what is sold alone is missing in the kit */
	const [kit] = (await hub.read("/v1/availability?channel=shop&sku=KIT")).items;
	assert.equal(kit.available, "2");
	assert.equal(kit.locations.east, "2");
	assert.ok(kit.as_of);
	assert.ok(wms);
});

test("what is on its way may be sold when it is due soon", async (t) => {
	const { hub, shop } = await world(t, { shop: 'locations: [east], inbound: {horizon: 1h, cap: "4"}' });
	await move(hub, "announce", [{ sku: "A", quantity: "6" }], { purchase_order_id: "P", expected_at: new Date(Date.now() + 3 * HOUR).toISOString() });
	await told(shop, "A", "0"); /* recorded, and never told before */
	await hub.stop();
	await hub.start();
	await hub.advance(2 * HOUR + 60_000);
	await told(shop, "A", "4");
	await move(hub, "receive", [{ sku: "A", quantity: "6" }], { purchase_order_id: "P" });
	await told(shop, "A", "6");
});

test("what others send on consignment may be sold on its way where the channel sells it", async (t) => {
	const { hub, shop, portal } = await world(t, { shop: "locations: [east], inbound: {horizon: 1h}, consigned: [acme]", portal: "locations: [east], inbound: {horizon: 1h}" });
	const due = (ms) => ({ purchase_order_id: "P", expected_at: new Date(Date.now() + ms).toISOString() });
	await move(hub, "announce", [{ sku: "A", quantity: "5", owner: "acme" }, { sku: "A", quantity: "2" }], due(60_000));
	await move(hub, "announce", [{ sku: "A", quantity: "7", owner: "globex" }], due(60_000));
	await move(hub, "announce", [{ sku: "A", quantity: "9", owner: "acme" }], due(3 * HOUR));
	await told(shop, "A", "7");
	await told(portal, "A", "2");
	await hub.kill();
	await hub.start();
	assert.deepEqual([await hub.available("shop", "A"), await hub.available("portal", "A")], ["7", "2"]);
	await hub.advance(2 * HOUR + 60_000);
	await told(shop, "A", "16");
	await move(hub, "receive", [{ sku: "A", quantity: "5", owner: "acme" }], { purchase_order_id: "P" });
	await move(hub, "ship", [{ sku: "A", quantity: "4", owner: "acme" }]);
	await told(shop, "A", "12");
	assert.equal(await hub.available("portal", "A"), "2");
	await hub.audit();
});

for (const [reaction, more, now] of [["zero", "2", "0"], ["freeze", "1", "3"]])
	test(`data that is too old: ${reaction}`, async (t) => {
		const { hub, shop } = await world(t, { shop: `locations: [east], max_age: 2h, when_stale: ${reaction}` });
		await move(hub, "receive", [{ sku: "A", quantity: "3" }]);
		await told(shop, "A", "3");
		const [fresh] = (await hub.read("/v1/availability?channel=shop&sku=A")).items;
		assert.ok(fresh.as_of && !fresh.stale);
		await hub.advance(2 * HOUR + 1000);
		const stale = await until("it is an event", async () => (await hub.events(0, "availability.stale"))[0]);
		assert.deepEqual([stale.data.system, stale.data.when_stale, stale.data.locations], ["wms", reaction, ["east"]]);
		await told(shop, "A", now);
		const [old] = (await hub.read("/v1/availability?channel=shop&sku=A")).items;
		assert.deepEqual([old.stale, old.as_of], [true, fresh.as_of]);
		assert.match((await hub.get("/metrics")).text, /crossdock_availability_stale_locations{[^}]*} 1/);
		/* Any message is a sign of life. */
		(await item(hub, "B")).expect(202);
		await until("it is fresh again", async () => (await hub.events(stale.position, "availability.fresh")).length === 1);
		await move(hub, "receive", [{ sku: "A", quantity: more }]);
		await told(shop, "A", String(3 + Number(more)));
	});

test("with plenty left a change may wait, but not for ever", async (t) => {
	const { hub, shop } = await world(t, { shop: 'locations: [east], threshold: "50", max_wait: 5m' });
	await move(hub, "receive", [{ sku: "A", quantity: "100" }]);
	await told(shop, "A", "100");
	await move(hub, "ship", [{ sku: "A", quantity: "10" }]);
	await move(hub, "receive", [{ sku: "B", quantity: "1" }]);
	await told(shop, "B", "1");
	assert.equal(shop.told("A"), "100");
	await hub.advance(5 * 60_000);
	await told(shop, "A", "90");
	await move(hub, "ship", [{ sku: "A", quantity: "60" }]);
	await told(shop, "A", "30"); /* not plenty any more */
});

test("an item is asked for by the channel's name for it, or by its GTIN", async (t) => {
	const { hub } = await world(t, { shop: "locations: [east]" });
	(await item(hub, "A", { aliases: [{ system: "shop", sku: "gid-1" }, { system: "gtin", sku: "5012345678900" }, { system: "shop", sku: "old" }] })).expect(202);
	(await item(hub, "B", { aliases: [{ system: "shop", sku: "old" }] })).expect(202);
	await move(hub, "receive", [{ sku: "A", quantity: "3" }]);
	const ask = async () => (await hub.read("/v1/availability?channel=shop&sku=gid-1&sku=5012345678900&sku=A&sku=old&sku=none")).items;
	const said = await until("both items are known", async () => {
		const items = await ask();
		return items[3].problem && items;
	});
	assert.deepEqual(said.map(({ sku, asked, available, problem }) => ({ sku, asked, available, problem })), [
		{ sku: "A", asked: "gid-1", available: "3", problem: undefined },
		{ sku: "A", asked: "5012345678900", available: "3", problem: undefined },
		{ sku: "A", asked: undefined, available: "3", problem: undefined },
		{ sku: "old", asked: undefined, available: "0", problem: "ambiguous_sku" },
		{ sku: "none", asked: undefined, available: "0", problem: undefined },
	]);
	const held = (await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "5012345678900", quantity: "1" }] })).expect(201).json;
	assert.equal(held.lines[0].sku, "A");
	(await item(hub, "B")).expect(202);
	await until("the name is A's alone", async () => (await ask())[3].sku === "A");
	await hub.audit();
});
