/* Bad input: each has its own precise problem, nothing of it is applied, and the server is well afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cli, createKey, inState, order, postgres, until, world } from "./harness.mjs";

const good = order({ A: "1" }, { external_id: "bad-1" });
const change = (change) => JSON.stringify({ ...good, ...change });
const line = (change) => JSON.stringify({ ...good, lines: [{ ...good.lines[0], ...change }] });
const numbered = (text) => JSON.stringify(good).replace('"1","uom"', `${text},"uom"`);
const deep = (n) => `${"[".repeat(n)}${"]".repeat(n)}`;

/* name, body, status, code, pointer of the first error */
const orders = [
	["nothing", "", 400, "body_required"],
	["not JSON", "hello", 400, "invalid_json"],
	["cut off", JSON.stringify(good).slice(0, -1), 400, "invalid_json"],
	["more behind it", `${JSON.stringify(good)}{}`, 400, "invalid_json"],
	["a comma too many", '{"a":1,}', 400, "invalid_json"],
	["a comment", "/* */{}", 400, "invalid_json"],
	["single quotes", "{'a':1}", 400, "invalid_json"],
	["a control character", '{"a":"\u0001"}', 400, "invalid_json"],
	["a lone surrogate", '{"a":"\\ud800"}', 400],
	["bad UTF-8", Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), 400, "invalid_utf8"],
	["an overlong slash", Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]), 400, "invalid_utf8"],
	["UTF-16", Buffer.from("\ufeff{}", "utf16le"), 400],
	["a member twice", '{"channel":"shop","channel":"portal"}', 400, "duplicate_member"],
	["1,000 levels", deep(1000), 400, "json_too_deep"],
	["100,000 levels", deep(100_000), 400, "json_too_deep"],
	["a leading zero", '{"a":01}', 400, "invalid_number"],
	["not a number", '{"a":NaN}', 400],
	["an array", "[]", 422, "validation_failed", ""],
	["null", "null", 422, "validation_failed", ""],
	["an empty object", "{}", 422, "validation_failed", "/channel"],
	["an unknown field", change({ colour: "red" }), 422, "validation_failed", "/colour"],
	["an unknown field of a line", line({ colour: "red" }), 422, "validation_failed", "/lines/0/colour"],
	["a field with odd letters", change({ "a/b~c": 1 }), 422, "validation_failed", "/a~1b~0c"],
	["no lines", change({ lines: [] }), 422, "validation_failed", "/lines"],
	["lines of another type", change({ lines: {} }), 422, "validation_failed", "/lines"],
	["a line of another type", change({ lines: ["A"] }), 422, "validation_failed", "/lines/0"],
	["a number for a text", change({ channel: 5 }), 422, "validation_failed", "/channel"],
	["a channel that is none", change({ channel: "wms" }), 422, "unknown_channel", "/channel"],
	["a channel of another tenant", change({ channel: "../other/shop" }), 422, undefined, "/channel"],
	["null for a text", change({ currency: null }), 422, "validation_failed", "/currency"],
	["a date that is none", change({ placed_at: "2026-02-30T12:00:00Z" }), 422, "validation_failed", "/placed_at"],
	["a local time", change({ placed_at: "2026-02-01T12:00:00" }), 422, "validation_failed", "/placed_at"],
	["quantity zero", line({ quantity: "0" }), 422, "validation_failed", "/lines/0/quantity"],
	["quantity below zero", line({ quantity: "-1" }), 422, "validation_failed", "/lines/0/quantity"],
	["quantity in exponents", line({ quantity: "1e3" }), 422, "validation_failed", "/lines/0/quantity"],
	["quantity as a number", line({ quantity: 1 }), 422, "validation_failed", "/lines/0/quantity"],
	["a huge quantity", line({ quantity: "99999999999999999999" }), 422, "validation_failed", "/lines/0/quantity"],
	["a quantity of a million digits", line({ quantity: "9".repeat(900_000) }), 422, "validation_failed", "/lines/0/quantity"],
	["a quantity too fine", line({ quantity: "0.00001" }), 422, "validation_failed", "/lines/0/quantity"],
	["a huge number", numbered("1e400"), 422, "validation_failed", "/lines/0/quantity"],
	["a huge integer", numbered("9".repeat(400)), 422, "validation_failed", "/lines/0/quantity"],
	["infinite", line({ quantity: "Infinity" }), 422, "validation_failed", "/lines/0/quantity"],
	["digits of another script", line({ quantity: "\u0661" }), 422, "validation_failed", "/lines/0/quantity"],
	["a line id twice", change({ lines: [good.lines[0], good.lines[0]] }), 422, "validation_failed", "/lines/1/line_id"],
	["an empty item", line({ sku: "" }), 422, "validation_failed", "/lines/0/sku"],
	["an item with a zero byte", line({ sku: "A\0B" }), 422, "validation_failed", "/lines/0/sku"],
];

/* What must not have changed; times and numbers of the process aside, and the record that something was rejected. */
async function state(hub) {
	const { position, orders, orders_total, deliveries, exceptions, dead_letters_open, inbox, items } = await hub.read("/v1/overview");
	const applied = inbox.filter((i) => i.fate !== "rejected");
	return { position, orders, orders_total, deliveries, exceptions, dead_letters_open, applied, items, stock: (await hub.stock("A")).totals };
}

function problem(answer) {
	assert.match(answer.headers.get?.("content-type") ?? answer.headers, /application\/problem\+json/);
	const p = answer.json;
	assert.equal(p.status, answer.status);
	for (const name of ["type", "title", "code", "correlation_id"])
		assert.ok(p[name], `${name} in ${answer.text}`);
	assert.match(p.code, /^[a-z][a-z0-9_]+$/);
	return p;
}

test("orders that are wrong", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "10" });
	await until("the count is published", async () => (await hub.read("/v1/systems/shop")).backlog === 0);
	const before = await state(hub);
	for (const [name, body, status, code, pointer] of orders)
		await t.test(name, async () => {
			const answer = await hub.post("/v1/orders", body);
			assert.equal(answer.status, status, answer.text);
			const p = problem(answer);
			if (code)
				assert.equal(p.code, code, answer.text);
			if (pointer !== undefined)
				assert.ok(p.errors.some((e) => e.pointer === pointer && e.code && e.detail), answer.text);
		});
	assert.deepEqual(await state(hub), before);
	await hub.capture(good);
	await hub.audit();
});

/* PostgreSQL has no zero bytes in a text: what it cannot keep must be refused before it gets there. */
test("texts with a zero byte, on PostgreSQL", async (t) => {
	const { hub } = await world(t, ["shop", "wms"], { store: await postgres(t) });
	const movement = { source: "wms", source_event_id: "1", type: "receive", occurred_at: "2026-03-01T10:00:00Z", lines: [{ sku: "A", location: "east", quantity: "1" }] };
	const rows = [
		["/v1/orders", order({ "A\0": "1" }), "/lines/0/sku"],
		["/v1/orders", order({ A: "1" }, { external_id: "x\0" }), "/external_id"],
		["/v1/orders", order({ A: "1" }, { customer: { external_id: "C\0" } }), "/customer/external_id"],
		["/v1/stock/movements", { ...movement, source_event_id: "e\0" }, "/source_event_id"],
		["/v1/stock/movements", { ...movement, reason: "r\0" }, "/reason"],
		["/v1/reservations", { channel: "shop", reservation_id: "r\0", lines: [{ sku: "A", quantity: "1" }] }, "/reservation_id"],
	];
	for (const [path, body, pointer] of rows)
		await t.test(`${path} ${pointer}`, async () => {
			const p = problem((await hub.post(path, body)).expect(422, "validation_failed"));
			assert.ok(p.errors.some((e) => e.pointer === pointer), JSON.stringify(p));
		});
	assert.equal((await hub.read("/v1/overview")).orders_total, 0);
	await hub.audit();
});

test("movements, reservations and queries that are wrong", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "10" });
	await until("the count is published", async () => (await hub.read("/v1/systems/shop")).backlog === 0);
	const before = await state(hub);
	const movement = { source: "wms", source_event_id: "1", type: "receive", occurred_at: "2026-03-01T10:00:00Z", lines: [{ sku: "A", location: "east", quantity: "1" }] };
	const move = (change) => ["POST", "/v1/stock/movements", { ...movement, ...change }];
	const moveLine = (change) => move({ lines: [{ ...movement.lines[0], ...change }] });
	const rows = [
		[...move({ source: "nobody" }), 422, "unknown_source", "/source"],
		[...move({ type: "teleport" }), 422, "validation_failed", "/type"],
		[...move({ occurred_at: "yesterday" }), 422, "validation_failed", "/occurred_at"],
		[...moveLine({ location: "moon" }), 422, "unknown_location", "/lines/0/location"],
		[...moveLine({ quantity: "1000000000000000000" }), 422, "validation_failed", "/lines/0/quantity"],
		[...moveLine({ sku: "x".repeat(10_000) }), 422, "validation_failed", "/lines/0/sku"],
		["POST", "/v1/stock/movements", { items: Array(1001).fill(movement) }, 422],
		["POST", "/v1/reservations", { channel: "shop", lines: [{ sku: "A", quantity: "0" }] }, 422, "validation_failed", "/lines/0/quantity"],
		["POST", "/v1/reservations", { channel: "shop", lines: [{ sku: "A", quantity: "1" }], ttl_s: -1 }, 422, "validation_failed", "/ttl_s"],
		["POST", "/v1/reservations", { channel: "none", lines: [{ sku: "A", quantity: "1" }] }, 422, "unknown_channel", "/channel"],
		["POST", "/v1/availability/query", { channel: "shop", skus: "A" }, 422, "validation_failed", "/skus"],
		["GET", "/v1/orders?status=lost", undefined, 400, "unknown_status"],
		["GET", "/v1/orders?limit=1001", undefined, 400, "bad_parameter"],
		["GET", "/v1/orders?limit=99999999999999999999", undefined, 400, "bad_parameter"],
		["GET", "/v1/orders?cursor=-1", undefined, 400, "bad_cursor"],
		["GET", "/v1/orders/%00", undefined, 400],
		["GET", "/v1/orders/..%2f..%2fetc%2fpasswd", undefined, 404],
		["GET", "/v1/events?after=-1", undefined, 400, "bad_parameter"],
		["GET", "/console/../crossdock.yaml", undefined, 404],
		["GET", "/console/%2e%2e/%2e%2e/package.json", undefined, 404],
		["DELETE", "/v1/orders", undefined, 405, "method_not_allowed"],
		["GET", "/v2/orders", undefined, 404, "unknown_route"],
	];
	for (const [method, path, body, status, code, pointer] of rows)
		await t.test(`${method} ${path} ${JSON.stringify(body ?? "").slice(0, 60)}`, async () => {
			const answer = await hub.call(method, path, { body });
			assert.equal(answer.status, status, answer.text);
			const p = problem(answer);
			if (code)
				assert.equal(p.code, code, answer.text);
			if (pointer)
				assert.ok(p.errors.some((e) => e.pointer === pointer), answer.text);
		});
	assert.deepEqual(await state(hub), before);
});

test("what another tenant has does not exist, and a key may do only what it may", async (t) => {
	const { hub } = await world(t, ["shop", "portal", "wms"]);
	await hub.count({ A: "10" });
	const o = await hub.capture(order({ A: "1" }));
	const held = (await hub.post("/v1/reservations", { channel: "shop", lines: [{ sku: "A", quantity: "1" }] })).expect(201).json;
	const key = createKey(hub.dir, { tenant: "other" });
	const foreign = { key };
	for (const path of [`/v1/orders/${o.order_id}`, `/v1/orders/${o.order_id}/timeline`, `/v1/trace/${o.correlation_id}`, `/v1/reservations/${held.reservation_id}`, "/v1/systems/portal"])
		assert.equal((await hub.get(path, foreign)).status, 404, path);
	assert.deepEqual((await hub.get("/v1/orders", foreign)).expect(200).json.items, []);
	assert.deepEqual((await hub.get("/v1/events", foreign)).expect(200).json.items, []);
	assert.equal((await hub.get("/v1/overview", foreign)).expect(200).json.orders_total, 0);
	(await hub.post(`/v1/orders/${o.order_id}/cancel`, undefined, foreign)).expect(404, "order_not_found");
	(await hub.post(`/v1/reservations/${held.reservation_id}/commit`, { order_id: o.order_id }, foreign)).expect(404);
	(await hub.call("DELETE", `/v1/reservations/${held.reservation_id}`, foreign)).expect(404);
	(await hub.push("shop", "order", order(), foreign)).expect(401);
	assert.equal((await hub.order(o.order_id)).lines[0].ordered, "1");

	const reader = createKey(hub.dir, { scopes: "orders:read" });
	(await hub.post("/v1/orders", order(), { key: reader })).expect(403, "insufficient_scope");
	(await hub.get("/v1/overview", { key: reader })).expect(403, "insufficient_scope");
	const shop = createKey(hub.dir, { scopes: "orders:write stock:write inbound".replaceAll(" ", ","), system: "shop" });
	(await hub.post("/v1/orders", order({ A: "1" }, { channel: "portal" }), { key: shop })).expect(403, "other_system");
	(await hub.push("wms", "stock-count", {}, { key: shop })).expect(403, "other_system");
	(await hub.get("/v1/orders", { key: `${hub.key.slice(0, -1)}${hub.key.endsWith("A") ? "B" : "A"}` })).expect(401, "unauthorized");
	(await hub.get("/v1/orders", { key: "" })).expect(401, "unauthorized");
	await hub.audit();
});

test("a key that is revoked ends while the server runs", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	const key = createKey(hub.dir, { scopes: "orders:read" });
	(await hub.get("/v1/orders", { key })).expect(200);
	const listed = cli(["key", "list", "--tenant", "acme", "--dir", hub.dir, "--json"]);
	assert.equal(listed.code, 0, listed.err);
	assert.ok(!listed.out.includes(key) && !listed.out.includes(key.split("_").at(-1)), listed.out);
	const { id } = JSON.parse(listed.out).items.find((k) => k.scopes.length === 1 && k.scopes[0] === "orders:read");
	assert.equal(cli(["key", "revoke", id, "--tenant", "acme", "--dir", hub.dir]).code, 0);
	const refused = await until("the key is refused", async () => {
		const answer = await hub.get("/v1/orders", { key });
		return answer.status !== 200 && answer;
	});
	refused.expect(401, "key_revoked");
	(await hub.get("/v1/orders")).expect(200);
});

test("in a system's own format: acknowledged, then a dead letter that says where it is wrong", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	await hub.count({ A: "10" });
	const rows = [
		["not JSON", "<order/>"],
		["wrong type", { ...order(), lines: "all" }],
		["a huge quantity", order({ A: "99999999999999999999" })],
		["1,000 levels", deep(1000)],
		["bad UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
	];
	for (const [name, body] of rows) {
		const answer = (await hub.push("shop", "order", body, { headers: { "content-type": "application/json", "correlation-id": `bad ${name}`.replaceAll(" ", "-").replaceAll(",", "") } })).expect(202);
		const letters = await until(`a dead letter of ${name}`, async () => {
			const { items } = await hub.read("/v1/dead-letters");
			const mine = items.filter((d) => d.correlation_id === answer.headers.get("correlation-id"));
			return mine.length > 0 && mine;
		});
		assert.equal(letters.length, 1, name);
		assert.ok(letters[0].reason.length > 10, `${name}: ${letters[0].reason}`);
		assert.equal(letters[0].kind, "message");
	}
	/* of several in one message the good ones are applied */
	const first = order({ A: "1" });
	(await hub.push("shop", "order", { items: [first, { ...order({ A: "1" }), currency: "pounds" }] })).expect(202);
	await until("the good one", async () => (await hub.read(`/v1/orders?channel=shop&external_id=${first.external_id}`)).items.length === 1);
	await until("the other is a dead letter", async () => (await hub.read("/v1/dead-letters")).items.length === rows.length + 1);
	assert.equal((await hub.read("/v1/overview")).orders_total, 1);
	await hub.audit();
});

test("requests that are too large, or too slow, or not HTTP", async (t) => {
	const { hub } = await world(t, ["shop", "wms"], { extra: 'limits: {body_bytes: 65536, header_bytes: 8192, request: 1s, idle: 1s}' });
	await hub.count({ A: "10" });
	await until("the count is published", async () => (await hub.read("/v1/systems/shop")).backlog === 0);
	const before = await state(hub);
	const padded = (n) => `${JSON.stringify(good)}${" ".repeat(n)}`;
	problem((await hub.post("/v1/orders", padded(70_000))).expect(413, "body_too_large"));
	problem((await hub.post("/in/acme/shop/order", padded(70_000))).expect(413, "body_too_large"));
	const head = (more) => `POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${hub.key}\r\nContent-Type: application/json\r\n${more}\r\n`;
	const raw = [
		["a length that is none", head("Content-Length: -1\r\n"), [400]],
		["a length beyond reason", head("Content-Length: 99999999999999999999\r\n"), [400, 413]],
		["headers too large", `${head(`X-Large: ${"x".repeat(12_000)}\r\nContent-Length: 2\r\n`)}{}`, [431, 413]],
		["a body announced and cut off", `${head("Content-Length: 1000\r\n")}{"channel"`, [0, 408]],
		["half a head", "POST /v1/orders HTTP/1.1\r\nHost:", [0, 408]],
		["a chunk that is none", `${head("Transfer-Encoding: chunked\r\n")}zz\r\n{}\r\n0\r\n\r\n`, [0, 400]],
		["length and chunks", `${head("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n")}0\r\n\r\n`, [0, 400]],
		["not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls?\r\n\r\n", [0, 400, 405, 501]],
	];
	for (const [name, bytes, statuses] of raw)
		await t.test(name, async () => {
			const answer = await hub.raw(Buffer.from(bytes, "latin1"), (text) => /\r\n\r\n[^]*\}$/.test(text));
			assert.ok(statuses.includes(answer.status), `${answer.status} ${answer.headers} ${answer.text}`);
		});
	await t.test("a byte now and then", async () => {
		const answer = await hub.raw(head("Content-Length: 1000\r\n"), () => false, { trickle: padded(1000) });
		assert.ok([0, 408].includes(answer.status), `${answer.status} ${answer.headers}`);
	});
	assert.deepEqual(await state(hub), before);
	assert.equal(inState(await hub.stock("A"), "free"), 10);
	await hub.capture(good);
	await hub.audit();
});
