/*
 * Fifty destinations, half of them bad in their own ways, each a receiver with a log of its own that survives the server. The bad ones
 * are held as they are until the test says so (`calm`).
 */
import assert from "node:assert/strict";
import { order, Peer, serve, shipment, until } from "./harness.mjs";

export const KINDS = { refusing: 5, silent: 5, slow: 5, flapping: 5, throttling: 5, healthy: 25 };
export const ORDERS = 4; /* for each channel */
export const PARTS = 3; /* that an order is shipped in: so many deliveries under one key */
const SLOW_MS = 10_000;
const IN_FLIGHT_MAX = 16; /* started or not yet settled, of one destination with 4 slots */

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

function configuration(channels, erp, wms, store) {
	const rows = channels.map(({ name, kind, peer }) => {
		const delivery = kind === "silent" ? ", delivery: {timeout: 1s}" : "";
		return `      ${name}: {connector: canonical, url: "${peer.url}", roles: [channel]${delivery}}`;
	});
	return `listen: 127.0.0.1:0
store: ${store}
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

/* As a good client does: the same request until it is answered; the server may be away. */
export function persist(send, status) {
	return until("an answer", async () => {
		const answer = await send();
		return answer.status < 500 && answer.expect(status);
	}, 60_000);
}

/* The warehouse ships what it is asked for in parts, one after the other. */
function shipsInParts(hub, wms) {
	const asked = new Set();
	const ship = async (orderId) => {
		for (let i = 0; i < PARTS; i++) {
			const s = shipment(orderId, { A: "1" });
			await persist(() => hub.push("wms", "shipment", s), 202);
		}
	};
	wms.handler = (r) => {
		const orderId = r.json?.order_id;
		if (r.path === "/shipment-requests" && orderId && !asked.has(orderId)) {
			asked.add(orderId);
			void ship(orderId);
		}
	};
}

export async function world(t, store = "sqlite") {
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
	const hub = await serve(t, configuration(channels, erp, wms, store));
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

/*
 * Of one channel: the hub's deliveries against what the receiver has seen. A delivery may come again if its answer was lost, or if the
 * server was killed in between (kills: log lengths of the receiver at those times).
 */
function compare({ name, kind, peer, kills = [] }, deliveries) {
	for (const d of deliveries)
		assert.ok(["delivered", "superseded"].includes(d.status), `${name}: ${d.operation} is ${d.status}`);
	const seen = firsts(peer.log), known = new Map(deliveries.map((d) => [d.delivery_id, d]));
	/* nothing that was said to be delivered is missing */
	for (const d of deliveries.filter(({ status }) => status === "delivered"))
		assert.ok(seen.some((r) => r.key === d.delivery_id), `${name}: ${d.delivery_id} never came`);
	/* and nothing came that is not in the books; what came was replaced by a newer number only if its answer was lost */
	for (const r of seen)
		assert.ok(known.get(r.key)?.status === "delivered" || (known.get(r.key)?.status === "superseded" && (kind !== "healthy" || kills.length > 0)), `${name}: ${r.key}`);
	/* of one order they came in the order in which they were made: ids ascend with time */
	for (const id of new Set(seen.map((r) => r.order_id).filter(Boolean))) {
		const keys = seen.filter((r) => r.order_id === id).map((r) => r.key);
		assert.ok(keys.length >= PARTS, `${name}: ${id} has ${keys.length} deliveries`);
		assert.deepEqual(keys, [...keys].sort(), `${name}: order ${id}`);
	}
	/* nothing came twice without a reason */
	const again = kills.map(() => 0);
	for (const [i, r] of peer.log.entries()) {
		const before = peer.log.findLastIndex((other, at) => at < i && other.key === r.key);
		if (before < 0 || peer.log[before].lost || kind === "slow")
			continue;
		const kill = kills.findIndex((at) => before < at && at <= i);
		assert.ok(kill >= 0, `${name}: ${r.key} came again after its answer`);
		assert.ok(++again[kill] <= IN_FLIGHT_MAX, `${name}: more came again than can have been under way`);
	}
}

/* Ends the bad times; everything comes to its end, and the receivers' logs say what the hub says. */
export async function settle({ hub, channels, calm }) {
	calm.begin();
	for (const c of channels.filter(({ kind }) => kind === "refusing"))
		await c.peer.again();
	await until("nothing waits", async () => (await hub.read("/v1/systems")).items.every((s) => s.backlog === 0), 120_000);
	for (const c of channels)
		compare(c, await everything(hub, `/v1/deliveries?system=${c.name}`));
	assert.equal((await hub.read("/v1/overview")).dead_letters_open, 0);
	await hub.audit();
}

/* One order for each channel. */
export function round(hub, channels) {
	return Promise.all(channels.map(async ({ name }) => {
		const o = order({ A: String(PARTS) }, { channel: name });
		return (await persist(() => hub.post("/v1/orders", o), 202)).json;
	}));
}
