/* api/asyncapi.yaml against the table of event types, and against events that a server makes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { order, Peer, root, shipment, until, world } from "./harness.mjs";

const text = readFileSync(join(root, "api/asyncapi.yaml"), "utf8");

/* The file is written by rule: a message's name stands six spaces in, its data is JSON in one line. */
function described() {
	const messages = new Map();
	let name;
	for (const line of text.slice(text.indexOf("\n  messages:\n")).split("\n")) {
		const said = /^ {6}name: (\S+)$/.exec(line);
		const data = /^ {14}data: (\{.*\})$/.exec(line);
		if (said)
			name = said[1];
		else if (data)
			messages.set(name, JSON.parse(data[1]));
	}
	return messages;
}

const messages = described();

test("it lists the types that there are, on both channels", () => {
	const table = [...readFileSync(join(root, "src/backbone/event_types.def"), "utf8").matchAll(/^EVENT\("([^"]+)"\)$/gm)].map((m) => m[1]);
	assert.ok(table.length > 40);
	assert.deepEqual([...messages.keys()].sort(), [...table].sort());
	for (const channel of ["stream", "webhook"]) {
		const part = text.slice(text.indexOf(`\n  ${channel}:\n`));
		const listed = [...part.slice(0, part.indexOf("\n    bindings:")).matchAll(/#\/components\/messages\/(\w+)"/g)].map((m) => m[1]);
		const made = [...text.slice(text.indexOf("\n  messages:\n")).matchAll(/^ {4}(\w+):$/gm)].map((m) => m[1]);
		assert.deepEqual(listed, made);
	}
});

const kinds = { string: (v) => typeof v === "string", integer: Number.isInteger, boolean: (v) => typeof v === "boolean", object: (v) => v !== null && typeof v === "object" && !Array.isArray(v), array: Array.isArray };

function fits(event) {
	const schema = messages.get(event.type);
	assert.ok(schema, event.type);
	for (const name of schema.required)
		assert.ok(name in event.data, `${event.type} without ${name}: ${JSON.stringify(event.data)}`);
	for (const [name, value] of Object.entries(event.data)) {
		const wanted = schema.properties[name];
		assert.ok(wanted, `${event.type} has ${name}, which is not described`);
		assert.ok(kinds[wanted.type](value), `${event.type}.${name} is ${JSON.stringify(value)}`);
		if (wanted.pattern)
			assert.match(value, new RegExp(wanted.pattern));
		if (wanted.format === "date-time")
			assert.ok(!Number.isNaN(Date.parse(value)));
	}
}

test("what a server tells is described", async (t) => {
	const { hub, wms } = await world(t, ["shop", "erp", "wms"], { extra: "webhooks: {allow_private: true, allow_http: true}", rules: { wms: "settle: 0s" } });
	const peer = await Peer.start(t, "receiver");
	const { subscription_id } = (await hub.post("/v1/subscriptions", { url: peer.url, types: ["*"] })).expect(201).json;
	const path = `/v1/subscriptions/${subscription_id}`;
	await hub.count({ A: "10", B: "5" });
	const o = await hub.capture(order({ A: "3" }));
	await hub.orderIs(o.order_id, "released");
	(await hub.push("wms", "shipment", shipment(o.order_id, { A: "3" }))).expect(202);
	await hub.orderIs(o.order_id, "shipped");
	await hub.capture(order({ A: "50" }));
	const held = (await hub.post("/v1/reservations", { channel: "shop", ttl_s: 600, lines: [{ sku: "B", quantity: "1" }] })).expect(201).json;
	(await hub.call("DELETE", `/v1/reservations/${held.reservation_id}`)).expect(200);
	(await hub.push("erp", "item", { sku: "A", uom: "EA" })).expect(202);
	for (const type of ["customer", "price-list", "invoice"])
		(await hub.push("erp", type, readFileSync(join(root, `connectors/canonical/fixtures/inbound/${type}.plain.json`), "utf8"))).expect(202);
	(await hub.push("shop", "order", "<order/>")).expect(202);
	await until("a dead letter", async () => (await hub.read("/v1/overview")).dead_letters_open > 0);
	const [letter] = (await hub.read("/v1/dead-letters")).items;
	(await hub.post(`/v1/dead-letters/${letter.id}/discard`, { reason: "not one of ours" })).expect(200);
	(await hub.post("/v1/systems/erp/pause")).expect(200);
	(await hub.post("/v1/systems/erp/resume")).expect(200);
	(await hub.post(`${path}/test`)).expect(202);
	(await hub.post(`${path}/rotate`, {})).expect(200);
	(await hub.call("PATCH", path, { body: { enabled: false } })).expect(200);
	(await hub.call("PATCH", path, { body: { enabled: true } })).expect(200);
	wms.handler = (r) => (r.path === "/stock-balances" ? { status: 200, body: { as_of: new Date().toISOString(), items: [{ sku: "A", location: "east", quantity: "1" }], next_cursor: null } } : undefined);
	(await hub.post("/v1/reconciliations", { system: "wms" })).expect(202);
	await until("it is compared", async () => (await hub.events(0, "reconciliation.completed")).length === 1);
	(await hub.call("DELETE", path)).expect(204);
	const events = await hub.events();
	events.forEach(fits);
	const seen = new Set(events.map((e) => e.type));
	for (const type of ["order.captured", "order.accepted", "order.shipped", "order.backordered", "shipment.created", "stock.moved", "availability.changed", "item.recorded", "customer.recorded", "price-list.recorded", "invoice.recorded", "exception.raised",
		"reservation.held", "reservation.voided", "dead_letter.raised", "dead_letter.discarded", "system.paused", "system.resumed", "subscription.created", "subscription.test", "subscription.rotated", "subscription.disabled",
		"subscription.enabled", "subscription.deleted", "reconciliation.started", "reconciliation.completed"])
		assert.ok(seen.has(type), `${type} in ${[...seen]}`);
	/* a webhook has the envelope of the log */
	assert.deepEqual(Object.keys(peer.requests[0].json), ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "correlationid", "position", "data"]);
});
