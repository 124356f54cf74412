/* Standard Webhooks, against the library of that name: what it signs is accepted, what we sign it verifies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { createKey, order, until, world } from "./harness.mjs";

const secret = (letter) => `whsec_${Buffer.from(letter.repeat(32)).toString("base64")}`;
const SHOP = secret("s");
const ERP = secret("e");

const secured = (t, options = {}) =>
	world(t, ["shop", "erp", "wms"], {
		systems: { shop: { webhook_secret: '"${secret:SHOP_HOOK}"' }, erp: { webhook_secret: '"${secret:ERP_HOOK}"' } },
		secrets: { SHOP_HOOK: SHOP, ERP_HOOK: ERP },
		...options,
	});

function signed(key, id, at, body) {
	return { "webhook-id": id, "webhook-timestamp": String(Math.floor(at.getTime() / 1000)), "webhook-signature": new Webhook(key).sign(id, at, body) };
}

test("what the library signs is accepted; anything else is refused and leaves nothing", async (t) => {
	const { hub } = await secured(t);
	await hub.count({ A: "100" });
	const now = () => new Date();
	const send = (headers, body, key = "") => hub.push("shop", "order", body, { key, headers });
	const sent = order({ A: "1" });
	const body = JSON.stringify(sent, null, "\t");

	const taken = (await send(signed(SHOP, "msg-1", now(), body), body)).expect(202);
	await until("the order", async () => (await hub.read(`/v1/orders?channel=shop&external_id=${sent.external_id}`)).items.length === 1);

	const good = signed(SHOP, "msg-2", now(), body);
	const other = JSON.stringify(order({ A: "99" }));
	const minutes = (n) => new Date(Date.now() + n * 60_000);
	const rows = {
		"no headers": [{}, body],
		"another body": [good, other],
		"one byte more": [good, `${body} `],
		"another id": [{ ...good, "webhook-id": "msg-3" }, body],
		"another time": [{ ...good, "webhook-timestamp": String(Number(good["webhook-timestamp"]) - 1) }, body],
		"another secret": [signed(ERP, "msg-2", now(), body), body],
		"a signature that is none": [{ ...good, "webhook-signature": "v1,AAAA" }, body],
		"another version": [{ ...good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,") }, body],
		"no signature": [{ ...good, "webhook-signature": "" }, body],
		"too old": [signed(SHOP, "msg-2", minutes(-6), body), body],
		"of the future": [signed(SHOP, "msg-2", minutes(6), body), body],
		"a time that is none": [{ ...good, "webhook-timestamp": "soon" }, body],
	};
	for (const [name, [headers, text]] of Object.entries(rows))
		await t.test(name, async () => {
			(await send(headers, text)).expect(401, "bad_signature");
			/* a key does not stand in for it */
			(await send(headers, text, hub.key)).expect(401, "bad_signature");
		});
	assert.equal((await hub.read("/v1/overview")).orders_total, 1);

	/* several signatures, as while a secret is being changed: one that matches is enough */
	const next = JSON.stringify(order({ A: "1" }));
	const both = signed(SHOP, "msg-4", now(), next);
	both["webhook-signature"] = `${signed(ERP, "msg-4", now(), next)["webhook-signature"]} ${both["webhook-signature"]}`;
	(await send(both, next)).expect(202);
	await until("a second order", async () => (await hub.read("/v1/overview")).orders_total === 2);

	/* a repeat is acknowledged and has no effect, though it is signed anew; nor has the same order under another id */
	(await send(signed(SHOP, "msg-1", now(), body), body)).expect(202);
	(await send(signed(SHOP, "msg-5", now(), body), body)).expect(202);
	await until("the repeat is known as one", async () => (await hub.read("/v1/overview")).inbox.some((i) => i.fate === "duplicate"));
	assert.equal((await hub.read("/v1/overview")).orders_total, 2);
	assert.ok(taken.headers.get("correlation-id"));
});

test("a system without a secret pushes with a key that is bound to it", async (t) => {
	const { hub } = await secured(t);
	await hub.count({ A: "100" });
	const wms = createKey(hub.dir, { scopes: "inbound", system: "wms" });
	const count = { source_event_id: "c-1", occurred_at: new Date().toISOString(), lines: [{ sku: "B", location: "east", quantity: "3" }] };
	(await hub.push("wms", "stock-count", count, { key: wms })).expect(202);
	await until("it is counted", async () => (await hub.available("shop", "B")) === "3");
	(await hub.push("shop", "order", order(), { key: wms })).expect(401, "bad_signature");
});

test("what is sent is signed, anew for each attempt, and the library verifies it", async (t) => {
	const { hub, erp, shop, wms } = await secured(t);
	let attempts = 0;
	erp.handler = (r) => (r.path === "/orders" && ++attempts < 3 ? { status: 500 } : undefined);
	await hub.count({ A: "100" });
	const o = await hub.capture(order({ A: "1" }));
	await hub.orderIs(o.order_id, "released");
	const posts = erp.of("/orders");
	assert.equal(posts.length, 3);
	for (const r of posts) {
		assert.deepEqual(new Webhook(ERP).verify(r.text, r.headers), r.json);
		assert.equal(r.headers["webhook-id"], r.key);
		assert.throws(() => new Webhook(SHOP).verify(r.text, r.headers));
		assert.throws(() => new Webhook(ERP).verify(`${r.text} `, r.headers));
	}
	assert.equal(new Set(posts.map((r) => r.key)).size, 1);
	const told = await until("the shop is told", () => shop.of("/availability").length > 0 && shop.of("/availability"));
	for (const r of told)
		new Webhook(SHOP).verify(r.text, r.headers);
	for (const r of wms.requests)
		assert.equal(r.headers["webhook-signature"], undefined);
});

test("secrets are told to nobody", async (t) => {
	const { hub, erp } = await secured(t);
	erp.handler = (r) => (r.path === "/orders" ? { status: 404, body: { detail: "wrong path" } } : undefined);
	await hub.count({ A: "100" });
	const o = await hub.capture(order({ A: "1" }));
	const [letter] = await until("a dead letter", async () => {
		const { items } = await hub.read("/v1/dead-letters");
		return items.length > 0 && items;
	});
	const { items } = await hub.read("/v1/deliveries");
	const paths = ["/v1/overview", "/v1/systems", "/v1/systems/erp", `/v1/dead-letters/${letter.id}`, `/v1/trace/${o.correlation_id}`, "/v1/events?limit=1000", "/metrics",
		...items.map((d) => `/v1/deliveries/${d.delivery_id}`)];
	const secrets = [SHOP.slice(6), ERP.slice(6), hub.key, hub.key.split("_").at(-1), "v1,"];
	for (const path of paths) {
		const { text } = (await hub.get(path)).expect(200);
		for (const s of secrets)
			assert.ok(!text.includes(s), `${path} has ${s}`);
	}
	for (const s of secrets.slice(0, 4))
		assert.ok(!hub.child.log.includes(s), "the log");
});
