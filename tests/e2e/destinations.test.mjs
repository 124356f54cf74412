/*
 * Fifty destinations, half of them bad in their own ways, each a receiver with a log of its own: the bad ones hurt only themselves, and
 * when they are good again, what each receiver's log says is what the hub says. Nothing here is measured: the healthy ones come to
 * their end while the bad ones are held as they are, which the test alone ends. (How much later they get it is in bench/destinations.)
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { order, Peer, serve, shipment, until } from "./harness.mjs";

const KINDS = { refusing: 5, silent: 5, slow: 5, flapping: 5, throttling: 5, healthy: 25 };
const ORDERS = 4; /* for each channel */
const PARTS = 3; /* that an order is shipped in: so many deliveries under one key */
const SLOW_MS = 10_000;

/* How a kind answers until `calm` is reached; `calm.then` is when the test says so. */
function behave(peer, kind, calm) {
	const answered = () => calm.reached || { healthy: true }[kind];
	let seen = 0;
	const wishes = {
		silent: () => calm.promise.then(() => "close"),
		slow: () => Promise.race([calm.promise, new Promise((done) => setTimeout(done, SLOW_MS).unref())]).then(() => undefined),
		flapping: () => (Math.floor(seen++ / 3) % 2 ? "close" : seen % 3 === 0 ? "lose" : undefined),
		throttling: () => (seen++ % 3 ? { status: 429, headers: { "retry-after": "1" } } : undefined),
	};
	peer.log = []; /* what was taken over, in order: only that counts as having arrived */
	peer.handler = async (r) => {
		const wish = answered() ? undefined : await wishes[kind]?.(r);
		if (wish === undefined || wish === "lose")
			peer.log.push({ key: r.key, path: r.path, order_id: r.json?.order_id, status: r.json?.status, lost: wish === "lose" });
		return wish;
	};
}

function configuration(channels, erp, wms) {
	const rows = channels.map(({ name, kind, peer }) => {
		const delivery = kind === "silent" ? ", delivery: {timeout: 1s}" : "";
		return `      ${name}: {connector: canonical, url: "${peer.url}", roles: [channel]${delivery}}`;
	});
	return `listen: 127.0.0.1:0
store: sqlite
tenants:
  acme:
    locations: {east: {}}
    delivery: {retry_base: 50ms, retry_max: 500ms, confirm_after: 200ms, queue: 20}
    systems:
      erp: {connector: canonical, url: "${erp.url}", roles: [erp]}
      wms: {connector: canonical, url: "${wms.url}", roles: [warehouse], locations: [east]}
${rows.join("\n")}
    channels:
${channels.map(({ name }) => `      ${name}: {locations: [east]}`).join("\n")}
    records: {stock: wms}
    processes: {order: order-to-cash}
`;
}

/* The warehouse ships what it is asked for in parts, one after the other. */
function shipsInParts(hub, wms) {
	const asked = new Set();
	const ship = async (orderId) => {
		for (let i = 0; i < PARTS; i++)
			(await hub.push("wms", "shipment", shipment(orderId, { A: "1" }))).expect(202);
	};
	wms.handler = (r) => {
		const orderId = r.json?.order_id;
		if (r.path === "/shipment-requests" && orderId && !asked.has(orderId)) {
			asked.add(orderId);
			void ship(orderId);
		}
	};
}

async function world(t) {
	let reach;
	const calm = { reached: false, promise: new Promise((done) => (reach = done)) };
	calm.begin = () => {
		calm.reached = true;
		reach();
	};
	t.after(calm.begin);
	const erp = await Peer.start(t, "erp"), wms = await Peer.start(t, "wms");
	const channels = [];
	for (const [kind, count] of Object.entries(KINDS))
		for (let i = 0; i < count; i++) {
			const peer = await Peer.start(t, `${kind}-${i}`);
			behave(peer, kind, calm);
			if (kind === "refusing")
				await peer.stop();
			channels.push({ name: `${kind}-${i}`, kind, peer });
		}
	const hub = await serve(t, configuration(channels, erp, wms));
	shipsInParts(hub, wms);
	return { hub, erp, wms, channels, calm };
}

async function everything(hub, path) {
	const items = [];
	for (let cursor = ""; ;) {
		const page = await hub.read(`${path}&limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
		items.push(...page.items);
		if (!page.next_cursor)
			return items;
		cursor = page.next_cursor;
	}
}

const firsts = (log) => log.filter((r, i) => log.findIndex((other) => other.key === r.key) === i);

/* Of one channel: the hub's deliveries against what the receiver has seen. */
function compare({ name, kind, peer }, deliveries) {
	for (const d of deliveries)
		assert.ok(["delivered", "superseded"].includes(d.status), `${name}: ${d.operation} is ${d.status}`);
	const seen = firsts(peer.log), known = new Map(deliveries.map((d) => [d.delivery_id, d]));
	/* nothing that was said to be delivered is missing */
	for (const d of deliveries.filter(({ status }) => status === "delivered"))
		assert.ok(seen.some((r) => r.key === d.delivery_id), `${name}: ${d.delivery_id} never came`);
	/* and nothing came that is not in the books; what was replaced by a newer number came only if its answer was lost */
	for (const r of seen)
		assert.ok(known.get(r.key)?.status === "delivered" || (known.get(r.key)?.status === "superseded" && kind !== "healthy"), `${name}: ${r.key}`);
	/* of one order they came in the order in which they were made: ids ascend with time */
	for (const id of new Set(seen.map((r) => r.order_id).filter(Boolean))) {
		const keys = seen.filter((r) => r.order_id === id).map((r) => r.key);
		assert.ok(keys.length >= PARTS, `${name}: ${id} has ${keys.length} deliveries`);
		assert.deepEqual(keys, [...keys].sort(), `${name}: order ${id}`);
	}
	/* nothing came twice but where the answer had been lost */
	if (kind === "healthy" || kind === "throttling" || kind === "refusing")
		assert.equal(seen.length, peer.log.length, `${name}: something came twice`);
	for (const [i, r] of peer.log.entries()) {
		const earlier = peer.log.slice(0, i).filter((other) => other.key === r.key);
		assert.ok(kind === "slow" || earlier.every((other) => other.lost), `${name}: ${r.key} came again after an answer`);
	}
}

test("of fifty destinations the bad ones hurt only themselves", { timeout: 240_000 }, async (t) => {
	const { hub, channels, calm } = await world(t);
	const healthy = channels.filter((c) => c.kind === "healthy"), bad = channels.filter((c) => c.kind !== "healthy");
	await hub.count({ A: "100000" });
	const orders = [];
	for (let i = 0; i < ORDERS; i++) {
		const taken = await Promise.all(channels.map(async ({ name }) => ({ name, ...(await hub.capture(order({ A: String(PARTS) }, { channel: name }))) })));
		orders.push(...taken);
	}
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

	calm.begin();
	for (const c of channels.filter(({ kind }) => kind === "refusing"))
		await c.peer.again();
	await until("nothing waits", async () => (await hub.read("/v1/systems")).items.every((s) => s.backlog === 0), 120_000);
	for (const c of channels)
		compare(c, await everything(hub, `/v1/deliveries?system=${c.name}`));
	assert.equal((await hub.read("/v1/overview")).dead_letters_open, 0);
	await hub.audit();
});
