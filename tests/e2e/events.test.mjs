/* The event log: in order, filtered, and followed without a gap. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import { parser } from "../../console/src/sse.ts";
import { order, until, world } from "./harness.mjs";

/* Follows the stream until it is closed: {events, close}. */
async function follow(t, hub, path = "/v1/events/stream", headers = {}) {
	const request = http.get(hub.url + path, { headers: { authorization: `Bearer ${hub.key}`, accept: "text/event-stream", ...headers }, agent: false });
	const [response] = await once(request, "response");
	assert.equal(response.statusCode, 200);
	assert.equal(response.headers["content-type"], "text/event-stream");
	const p = parser();
	const events = [];
	response.setEncoding("utf8").on("data", (text) => {
		for (const frame of p.feed(text)) {
			const event = JSON.parse(frame.data);
			assert.equal(frame.id, String(event.position));
			assert.equal(frame.event, event.type);
			events.push(event);
		}
	});
	response.on("error", () => {});
	const close = () => request.destroy();
	t.after(close);
	return { events, close };
}

test("the log is in order, whole, and each event a CloudEvent", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	const orders = [];
	for (let i = 0; i < 5; i++)
		orders.push(await hub.capture(order({ A: "1" })));
	for (const o of orders)
		await hub.orderIs(o.order_id, "released");
	const all = await hub.events();
	assert.deepEqual(all.map((e) => e.position), all.map((_, i) => i + 1));
	assert.equal(new Set(all.map((e) => e.id)).size, all.length);
	for (const e of all) {
		assert.equal(e.specversion, "1.0");
		assert.match(e.source, /^\/crossdock\/acme(\/\w+)?$/);
		assert.ok(e.type && e.subject && e.correlationid && !Number.isNaN(Date.parse(e.time)));
		assert.equal(typeof e.data, "object");
	}
	const steps = ["order.captured", "order.reserved", "order.accepted", "order.released"];
	for (const o of orders)
		assert.deepEqual(all.filter((e) => e.correlationid === o.correlation_id && e.type.startsWith("order.")).map((e) => e.type), steps);

	/* page by page, without gap or overlap */
	const paged = [];
	for (let after = 0, page; (page = await hub.read(`/v1/events?after=${after}&limit=3`)).items.length > 0; after = page.items.at(-1).position) {
		assert.ok(page.items.length <= 3);
		paged.push(...page.items);
	}
	assert.deepEqual(paged, all.slice(0, paged.length));
	assert.ok(paged.length >= all.length);
});

test("types are filtered", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	const o = await hub.capture(order({ A: "1" }));
	await hub.orderIs(o.order_id, "released");
	const all = await hub.events();
	const types = async (type) => (await hub.events(0, type)).map((e) => e.type);
	assert.deepEqual(await types("order.captured"), ["order.captured"]);
	assert.deepEqual(await types("order.*"), all.map((e) => e.type).filter((x) => x.startsWith("order.")));
	assert.deepEqual(await types("order.captured&type=stock.moved"), all.map((e) => e.type).filter((x) => x === "order.captured" || x === "stock.moved"));
	assert.deepEqual(await types("no.such"), []);
});

test("a stream goes on where it was cut off, with Last-Event-ID", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	const first = await follow(t, hub, "/v1/events/stream?type=order.captured&after=0");
	const orders = [];
	const capture = async () => orders.push((await hub.capture(order({ A: "1" }))).order_id);
	const ids = (events) => events.map((e) => e.data.order_id);
	await capture();
	await capture();
	await until("two events", () => first.events.length === 2);
	assert.deepEqual(ids(first.events), orders);
	first.close();
	await capture();
	await capture();
	const headers = { "last-event-id": String(first.events.at(-1).position) };
	const second = await follow(t, hub, "/v1/events/stream?type=order.captured&after=0", headers);
	await until("what was missed", () => second.events.length === 2);
	await capture();
	await until("what is new", () => second.events.length === 3);
	assert.deepEqual([...ids(first.events), ...ids(second.events)], orders);
});

test("a stream without a position begins with the next event", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	const before = await hub.capture(order({ A: "1" }));
	await hub.orderIs(before.order_id, "released");
	const stream = await follow(t, hub, "/v1/events/stream?type=order.captured");
	const next = await hub.capture(order({ A: "1" }));
	await until("the next order", () => stream.events.length > 0);
	assert.deepEqual(stream.events.map((e) => e.data.order_id), [next.order_id]);
});

test("a server that stops ends its streams", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	const stream = await follow(t, hub);
	await hub.count({ A: "1" });
	await until("an event", () => stream.events.length > 0);
	await hub.stop();
});
