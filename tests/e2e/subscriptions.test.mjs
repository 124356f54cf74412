/*
 * Subscriptions as their owners see them: what arrives is checked with the reference library of Standard Webhooks and with Node's own
 * Ed25519, at receivers of this test that answer as they are told.
 */
import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { order, Peer, until, world } from "./harness.mjs";

const OPEN = "webhooks: {allow_private: true, allow_http: true, disable_attempts: 2}";
const DAY = 86_400_000;

async function subscribed(t, fields = {}, extra = OPEN, options = {}) {
	const all = await world(t, ["shop", "erp", "wms"], { extra, ...options });
	const peer = await Peer.start(t, "receiver");
	const made = await subscribe(all.hub, peer, fields);
	return { ...all, peer, made, path: `/v1/subscriptions/${made.subscription_id}` };
}

async function subscribe(hub, peer, fields = {}) {
	return (await hub.post("/v1/subscriptions", { url: `${peer.url}/hook`, types: ["order.*"], ...fields })).expect(201).json;
}

const arrived = (peer) => peer.of("/hook");
const types = (peer) => arrived(peer).map((r) => r.json.type);

async function delivered(hub, made, count) {
	return until(`${count} are delivered`, async () => {
		const { items } = await hub.read(`/v1/deliveries?system=${made.subscription_id}&status=delivered&limit=1000`);
		return items.length >= count && items;
	});
}

/* A test event, until it has been tried. */
async function tested(hub, path) {
	const { delivery_id } = (await hub.post(`${path}/test`)).expect(202).json;
	return until("the test was tried", async () => {
		const d = await hub.read(`/v1/deliveries/${delivery_id}`);
		return d.attempts?.length && d.status !== "sending" && d;
	});
}

/* Whatever arrived is signed by the key, as the official library has it. */
function verified(made, requests) {
	assert.ok(requests.length);
	for (const r of requests)
		new Webhook(made.secret).verify(r.text, r.headers);
}

async function released(hub) {
	const o = await hub.capture(order({ A: "1" }));
	await hub.orderIs(o.order_id, "released");
	return o;
}

test("events arrive signed, in order per subject, as the log has them", async (t) => {
	const { hub, peer, made, path } = await subscribed(t);
	assert.match(made.secret, /^whsec_/);
	const shown = (await hub.get(path)).expect(200);
	assert.ok(!shown.text.includes(made.secret) && !(await hub.get("/v1/subscriptions")).text.includes(made.secret));
	await hub.count({ A: "100" });
	const orders = [];
	for (let i = 0; i < 4; i++)
		orders.push(await hub.capture(order({ A: "1" })));
	for (const o of orders)
		await hub.orderIs(o.order_id, "released");
	await delivered(hub, made, 16);
	const log = await hub.events(0, "order.*");
	for (const r of arrived(peer)) {
		new Webhook(made.secret).verify(r.text, r.headers);
		assert.equal(r.headers["webhook-id"], r.json.id);
		assert.equal(r.headers["crossdock-replay"], undefined);
		assert.deepEqual(r.json, log.find((e) => e.id === r.json.id));
		assert.throws(() => new Webhook(made.secret).verify(`${r.text} `, r.headers));
	}
	for (const o of orders)
		assert.deepEqual(arrived(peer).filter((r) => r.json.subject === o.order_id).map((r) => r.json.position), log.filter((e) => e.subject === o.order_id).map((e) => e.position));
	await hub.audit();
});

test("a rotation signs with both keys, until the old one ends", async (t) => {
	const { hub, peer, made, path } = await subscribed(t);
	const next = (await hub.post(`${path}/rotate`, { keep_s: 3600 })).expect(200).json;
	assert.notEqual(next.secret, made.secret);
	assert.equal(next.keys.length, 2);
	await hub.count({ A: "10" });
	await released(hub);
	await delivered(hub, made, 4);
	for (const r of arrived(peer)) {
		new Webhook(made.secret).verify(r.text, r.headers);
		new Webhook(next.secret).verify(r.text, r.headers);
	}
	await hub.advance(3601_000);
	assert.equal((await tested(hub, path)).status, "delivered");
	const last = arrived(peer).at(-1);
	assert.equal(last.json.type, "subscription.test");
	assert.equal(last.headers["webhook-signature"].split(" ").length, 1);
});

test("ed25519: the public key is readable and verifies", async (t) => {
	const { hub, peer, made, path } = await subscribed(t, { kind: "ed25519" });
	assert.match(made.secret, /^whsk_/);
	const [{ public_key }] = (await hub.read(path)).keys;
	assert.match(public_key, /^whpk_/);
	const raw = Buffer.from(public_key.slice(5), "base64");
	const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
	assert.equal((await tested(hub, path)).status, "delivered");
	const [r] = arrived(peer);
	const [version, signature] = r.headers["webhook-signature"].split(",");
	const signed = (text) => Buffer.from(`${r.headers["webhook-id"]}.${r.headers["webhook-timestamp"]}.${text}`);
	assert.equal(version, "v1a");
	assert.ok(verify(null, signed(r.text), key, Buffer.from(signature, "base64")));
	assert.ok(!verify(null, signed(`${r.text} `), key, Buffer.from(signature, "base64")));
});

test("what fails is sent again under the same id, and holds back its subject only", async (t) => {
	const { hub, peer, made } = await subscribed(t);
	let failing = "the first one";
	const good = [];
	peer.handler = (r) => {
		failing = failing === "the first one" ? r.json.subject : failing;
		if (r.json.subject === failing && r.json.type === "order.captured")
			return { status: 500 };
		good.push(r);
		return { status: 204 };
	};
	await hub.count({ A: "10" });
	const first = await released(hub);
	const other = await released(hub);
	await until("the other order has arrived", () => good.filter((r) => r.json.subject === other.order_id).length === 4);
	/* nothing of the failing subject has overtaken its first event */
	assert.equal(failing, first.order_id);
	assert.deepEqual([...new Set(arrived(peer).filter((r) => r.json.subject === failing).map((r) => r.json.type))], ["order.captured"]);
	failing = undefined;
	await delivered(hub, made, 8);
	verified(made, arrived(peer));
	const log = await hub.events(0, "order.*");
	for (const o of [first, other])
		assert.deepEqual(good.filter((r) => r.json.subject === o.order_id).map((r) => r.json.position), log.filter((e) => e.subject === o.order_id).map((e) => e.position));
	const ids = new Map();
	for (const r of arrived(peer))
		ids.set(r.json.position, (ids.get(r.json.position) ?? new Set()).add(r.headers["webhook-id"]));
	for (const set of ids.values())
		assert.equal(set.size, 1);
	const tries = arrived(peer).filter((r) => r.json.subject === first.order_id && r.json.type === "order.captured");
	assert.ok(tries.length > 1);
	await hub.audit();
});

test("it is warned, disabled, enabled again, and a replay brings what was missed", async (t) => {
	const { hub, peer, made, path } = await subscribed(t);
	const watcher = await Peer.start(t, "watcher");
	await subscribe(hub, watcher, { types: ["subscription.*"] });
	peer.handler = () => ({ status: 500 });
	await hub.count({ A: "10" });
	const o = await released(hub);
	await until("it fails", async () => (await hub.read(path)).failing_since);
	await hub.advance(2.6 * DAY);
	await until("a warning", () => types(watcher).includes("subscription.failing"));
	assert.equal((await hub.read(path)).enabled, true);
	await hub.advance(2.6 * DAY);
	/* what waited has become too old to be sent; the next event is what fails now */
	await hub.capture(order({ A: "1" }));
	await until("it is disabled", async () => !(await hub.read(path)).enabled);
	await until("its end is told", () => types(watcher).includes("subscription.disabled"));
	await until("nothing waits", async () => (await hub.read(path)).backlog === 0);
	assert.deepEqual((await hub.post(`${path}/test`)).expect(409).json.code, "subscription_disabled");
	const before = arrived(peer).length;
	peer.handler = () => ({ status: 200 });
	(await hub.call("PATCH", path, { body: { enabled: true } })).expect(200);
	(await hub.post(`${path}/replay`, { after: 0 })).expect(202);
	const again = await until("the order again", () => {
		const all = arrived(peer).slice(before).filter((r) => r.json.subject === o.order_id);
		return all.length === 4 && all;
	});
	for (const r of again) {
		assert.equal(r.headers["crossdock-replay"], "true");
		assert.equal(r.headers["webhook-id"], r.json.id);
	}
	await until("the replay has ended", async () => (await hub.read(path)).replay === null);
	assert.ok(!types(peer).includes("subscription.disabled"), "nothing about itself");
	await hub.audit();
});

test("replays that overlap send every event once", async (t) => {
	const { hub, peer, made, path } = await subscribed(t);
	await hub.count({ A: "100" });
	const orders = [];
	for (let i = 0; i < 10; i++)
		orders.push(await hub.capture(order({ A: "1" })));
	for (const o of orders)
		await hub.orderIs(o.order_id, "released");
	await delivered(hub, made, 40);
	const log = await hub.events(0, "order.*");
	const before = arrived(peer).length;
	let go;
	const held = new Promise((resolve) => (go = resolve));
	peer.handler = async () => {
		await held;
		return { status: 200 };
	};
	const middle = log[20].position;
	for (const after of [middle, 0, log[30].position, middle]) {
		(await hub.post(`${path}/replay`, { after })).expect(202);
		await until("it is queued", async () => (await hub.read(path)).replay === null);
	}
	go();
	await until("all is sent", async () => (await hub.read(path)).backlog === 0);
	const again = arrived(peer).slice(before);
	verified(made, again);
	assert.ok(again.every((r) => r.headers["crossdock-replay"] === "true"));
	assert.deepEqual(again.map((r) => r.json.position).sort((a, b) => a - b), log.map((e) => e.position));
	/* when it has been delivered, it can be asked for again */
	(await hub.post(`${path}/replay`, { after: log.at(-2).position })).expect(202);
	await until("the last one comes again", () => arrived(peer).length === before + again.length + 1);
	await hub.audit();
});

test("a query of the URL is in no record, and the rules for URLs hold for what is stored", async (t) => {
	const { hub, peer, made, path } = await subscribed(t);
	(await hub.call("PATCH", path, { body: { url: `${peer.url}/hook?token=swordfish` } })).expect(200);
	const good = await tested(hub, path);
	assert.equal(good.status, "delivered");
	assert.equal(arrived(peer).at(-1).query.get("token"), "swordfish");
	assert.match(good.attempts[0].request, /POST http:\/\/127\.0\.0\.1:\d+\/hook\?\*\*\*/);
	assert.ok(!JSON.stringify(good).includes("swordfish"));
	const reached = arrived(peer).length;
	await hub.stop();
	const file = join(hub.dir, "crossdock.yaml");
	writeFileSync(file, readFileSync(file, "utf8").replace("allow_http: true", "allow_http: false"));
	await hub.start();
	const bad = await tested(hub, path);
	assert.match(bad.attempts[0].detail, /allow_http/);
	assert.equal(arrived(peer).length, reached);
	assert.equal((await hub.read(path)).url, `${peer.url}/hook?token=swordfish`);
	assert.equal(made.subscription_id, "sub_1");
});

test("tests of receivers that hang hold nobody up", async (t) => {
	const { hub, peer, path } = await subscribed(t);
	let go;
	const held = new Promise((resolve) => (go = resolve));
	peer.handler = async () => {
		await held;
		return { status: 200 };
	};
	const ids = await Promise.all(Array.from({ length: 20 }, async () => (await hub.post(`${path}/test`)).expect(202).json.delivery_id));
	assert.equal(new Set(ids).size, 20);
	await until("one has arrived", () => arrived(peer).length > 0);
	assert.ok((await hub.read(path)).backlog > 0);
	go();
	await until("all are delivered", async () => (await hub.read(path)).backlog === 0);
});

test("410 disables at once", async (t) => {
	const { hub, peer, path } = await subscribed(t);
	peer.handler = () => ({ status: 410 });
	await hub.count({ A: "10" });
	await released(hub);
	const s = await until("it is disabled", async () => {
		const now = await hub.read(path);
		return !now.enabled && now.backlog === 0 && now;
	});
	assert.match(s.reason, /410/);
	await hub.audit();
});

test("a restart in between loses nothing; deleting cancels what waits", async (t) => {
	const { hub, peer, made, path } = await subscribed(t);
	peer.handler = () => ({ status: 500 });
	await hub.count({ A: "10" });
	const o = await released(hub);
	await until("it was tried", () => arrived(peer).length > 0);
	await hub.kill();
	peer.handler = () => ({ status: 200 });
	await hub.start();
	await delivered(hub, made, 4);
	new Webhook(made.secret).verify(arrived(peer).at(-1).text, arrived(peer).at(-1).headers);
	const good = arrived(peer).filter((r) => r.json.subject === o.order_id);
	assert.deepEqual([...new Set(good.map((r) => r.json.type))], ["order.captured", "order.reserved", "order.accepted", "order.released"]);
	peer.handler = () => ({ status: 500 });
	await released(hub);
	await until("some wait", async () => (await hub.read(path)).backlog > 0);
	(await hub.call("DELETE", path)).expect(204);
	(await hub.get(path)).expect(404, "subscription_not_found");
	await until("they are cancelled", async () => (await hub.read(`/v1/deliveries?system=${made.subscription_id}&status=cancelled`)).items.length === 4);
	await hub.audit();
});

test("private addresses, odd ports and plain http are refused", async (t) => {
	const { hub } = await world(t, ["shop"], { extra: "limits: {subscriptions: 2}" });
	const refused = [
		"http://example.com/", "ftp://example.com/", "https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/",
		"https://10.0.0.1/", "https://100.64.0.1/", "https://169.254.169.254/", "https://0.0.0.0/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
		"https://[64:ff9b::10.0.0.1]/", "https://[fd00::1]/", "https://[fe80::1]/", "https://user@example.com/", "https://example.com:22/",
		"https://example.com:0/", "https://example.com:99999/", "https:///x", "https://exa mple.com/", "https://example.com/#x", `https://example.com/${"x".repeat(2000)}`,
	];
	for (const url of refused) {
		const problem = (await hub.post("/v1/subscriptions", { url, types: ["*"] })).expect(422, "validation_failed").json;
		assert.equal(problem.errors[0].pointer, "/url", url);
	}
	for (const bad of [{ types: [] }, { types: ["a b"] }, { types: ["*x"] }, { secret: "x" }, { secret: "whsec_AAAA" }, { kind: "rsa" }, { colour: "red" }])
		(await hub.post("/v1/subscriptions", { url: "https://example.com/", types: ["*"], ...bad })).expect(422, "validation_failed");
	/* A name that leads inside is found out when it is connected to. */
	const made = (await hub.post("/v1/subscriptions", { url: "https://localhost:8443/", types: ["nothing"] })).expect(201).json;
	const tried = await tested(hub, `/v1/subscriptions/${made.subscription_id}`);
	assert.match(tried.attempts[0].detail, /not allowed/);
	(await hub.post("/v1/subscriptions", { url: "https://example.com/", types: ["nothing"] })).expect(201);
	(await hub.post("/v1/subscriptions", { url: "https://example.com/", types: ["nothing"] })).expect(409, "too_many_subscriptions");
});

test("a repeat of the request does not tell the secret again", async (t) => {
	const { hub } = await world(t, ["shop"]);
	const body = { url: "https://example.com/", types: ["nothing"] };
	const headers = { "idempotency-key": "once" };
	const first = (await hub.post("/v1/subscriptions", body, { headers })).expect(201).json;
	const second = (await hub.post("/v1/subscriptions", body, { headers })).expect(201);
	assert.equal(second.json.subscription_id, first.subscription_id);
	assert.ok(first.secret && !second.text.includes(first.secret));
	(await hub.get(`/v1/subscriptions/${first.subscription_id}`, { key: null })).expect(401);
});
