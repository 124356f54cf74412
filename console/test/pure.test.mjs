import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../src/format.ts";
import { parser } from "../src/sse.ts";
import { add, EMPTY, recent, series, SLOT_MS, SLOTS, SLOTS_MIN, stageOf, TAIL } from "../src/live.ts";
import { about, aside, attemptRates, failures, funnel, health, outcomes, oversold, published, RATE_MS, remember } from "../src/derive.ts";
import { hrefTo, parseRoute } from "../src/route.ts";
import { keyOfFragment, tenantOf } from "../src/session.ts";
import { query } from "../src/api.ts";
import { minus, outcome, runStanding, standing, typesOf } from "../src/standing.ts";

const table = (name, call, rows) =>
	test(name, () => {
		for (const [input, expected] of rows)
			assert.deepEqual(call(...(Array.isArray(input) ? input : [input])), expected, JSON.stringify(input));
	});

table("counts are grouped", format.count, [[0, "0"], [999, "999"], [1000, "1\u202f000"], [1234567.4, "1\u202f234\u202f567"]]);
table("rates keep three digits", format.rate, [[0, "0"], [0.004, "0"], [0.5, "0.5"], [2, "2"], [5.255, "5.25"], [52.55, "52.5"],
	[10.04, "10"], [1234, "1\u202f234"]]);
table("durations", format.micros, [[0, "0 µs"], [340, "340 µs"], [1500, "1.5 ms"], [12345, "12 ms"], [1234567, "1.2 s"],
	[59999999, "60 s"], [120000000, "2 min"]]);
table("ages", format.age, [[-5, "0 s"], [59999, "59 s"], [60000, "1 min"], [3600000, "1 h"], [5400000, "1 h 30 min"],
	[90000000, "1 d 1 h"]]);
table("time between steps", format.since, [[["2026-03-01T12:00:00.000Z", "2026-03-01T12:00:01.204Z"], "+1.204 s"],
	[["2026-03-01T12:00:00.000Z", "2026-03-01T12:05:00.000Z"], "+5 min"], [["x", "y"], ""]]);
table("names become words", format.words, [["partially_shipped", "Partially shipped"], ["order.post", "Order post"], ["", ""]]);
table("quantities stay decimal text", format.quantity, [["6", "6"], ["6.00", "6"], ["0.500", "0.5"], ["100", "100"],
	["9007199254740993.1", "9007199254740993.1"], [undefined, "0"]]);
table("zero is told from the rest", format.isZero, [["0", true], ["0.00", true], [undefined, true], ["0.01", false], ["10", false]]);
table("plural", format.plural, [[[1, "order"], "1 order"], [[0, "order"], "0 orders"]]);
table("payloads are indented if they can be", format.pretty, [['{"a":1}', '{\n  "a": 1\n}'], ["<a/>", "<a/>"]]);

test("event stream: frames come out whole however the text is cut", () => {
	const text = ": hello\r\nretry: 1500\r\n\r\nid: 7\nevent: order.captured\ndata: {\"a\":\ndata: 1}\n\nid: 8\ndata:x\rdata: y\r\rdata: lost";
	const expected = [{ id: "7", event: "order.captured", data: '{"a":\n1}' }, { id: "8", event: "message", data: "x\ny" }];
	for (let size = 1; size <= text.length; size++) {
		const p = parser();
		const frames = [];
		for (let at = 0; at < text.length; at += size)
			frames.push(...p.feed(text.slice(at, at + size)));
		assert.deepEqual(frames, expected, `in pieces of ${size}`);
		assert.equal(p.retryMs(), 1500);
	}
});

const event = (position, type, ms) => ({ id: `e${position}`, type, subject: "o", source: "/crossdock/acme", position, data: {},
	correlationid: "c", time: new Date(ms).toISOString() });

test("live: the tail is newest first, bounded, and nothing is counted twice", () => {
	const at = 1_000 * SLOT_MS;
	const first = add(EMPTY, [event(1, "order.captured", at), event(2, "order.reserved", at + 1)]);
	assert.deepEqual(first.tail.map((e) => e.position), [2, 1]);
	assert.equal(add(first, [event(1, "order.captured", at), event(2, "order.reserved", at)]), first);
	const again = add(first, [event(2, "order.reserved", at), event(3, "order.captured", at + SLOT_MS)]);
	assert.equal(again.seen, 3);
	assert.equal(again.position, 3);
	const many = add(EMPTY, Array.from({ length: TAIL + 50 }, (_, i) => event(i + 1, "stock.moved", at)));
	assert.equal(many.tail.length, TAIL);
	assert.equal(many.tail[0].position, TAIL + 50);
});

test("live: rates are of whole slots, and end before the running one", () => {
	const slot = 5_000;
	const events = Array.from({ length: 10 }, (_, i) => event(i + 1, "order.captured", slot * SLOT_MS + i));
	const s = series(add(EMPTY, [...events, event(11, "order.captured", (slot + 1) * SLOT_MS)]), (slot + 1) * SLOT_MS + 10);
	assert.equal(s.times.length, SLOTS_MIN);
	assert.equal(s.times.at(-1), (slot * SLOT_MS) / 1000);
	assert.equal(s.values.captured.at(-1), 10 / (SLOT_MS / 1000));
	assert.equal(s.values.shipped.at(-1), 0);
	assert.equal(recent(s.values.captured, 5), 1);
	assert.equal(recent([], 5), 0);
	const long = add(EMPTY, [event(1, "order.captured", slot * SLOT_MS)]);
	assert.equal(series(long, (slot + 100) * SLOT_MS).times.length, 100);
	assert.equal(series(long, (slot + 1000) * SLOT_MS).times.length, SLOTS);
});

test("live: old slots are dropped, and a clock that is ahead is noticed", () => {
	const old = add(EMPTY, [event(1, "order.captured", 0)]);
	const next = add(old, [event(2, "order.captured", 10 * SLOTS * SLOT_MS)], 0);
	assert.equal(next.slots.size, 1);
	assert.equal(next.skewMs, 10 * SLOTS * SLOT_MS);
	assert.equal(add(EMPTY, [event(1, "order.captured", 1000)], 900).skewMs, 0);
});

table("stages of events", stageOf, [["order.captured", "captured"], ["order.shipped", "shipped"],
	["order.partially_shipped", undefined], ["stock.moved", undefined], ["order.", undefined]]);

const overview = {
	orders: { captured: 1, on_hold: 2, reserved: 3, accepted: 4, released: 5, partially_shipped: 6, shipped: 7, closed: 1, cancelled: 8 },
	orders_total: 37,
	exceptions: { backordered: 4 },
	lag: { shop: { delivery: { count: 9 }, availability: { count: 40 } }, portal: { delivery: {}, availability: { count: 2 } }, erp: { delivery: {} } },
};

test("orders that reached a stage are those in it and beyond", () => {
	assert.deepEqual(funnel(overview).map((s) => [s.key, s.reached, s.here]),
		[["captured", 37, 1], ["reserved", 26, 3], ["accepted", 23, 4], ["released", 19, 11], ["shipped", 8, 8]]);
	assert.deepEqual(aside(overview), [["on_hold", 2], ["partially_shipped", 6], ["cancelled", 8]]);
	assert.equal(oversold(overview), 0);
	assert.equal(oversold({ exceptions: { stock_negative: 2 } }), 2);
	assert.equal(published(overview), 42);
});

test("outcomes of a system", () => {
	const rows = [
		{ system: "erp", operation: "order.post", status: "delivered", count: 5 },
		{ system: "erp", operation: "order.post", status: "open", count: 3 },
		{ system: "erp", operation: "shipment", status: "dead_letter", count: 3 },
		{ system: "wms", operation: "shipment.request", status: "delivered", count: 9 },
	];
	assert.deepEqual(outcomes(rows, "erp"), { delivered: 5, superseded: 0, cancelled: 0, dead: 3, open: 3 });
	assert.deepEqual(failures({ outcomes: { delivered: 3, technical: 2, unknown: 0 } }), [["technical", 2]]);
	assert.deepEqual(failures({}), []);
});

const quiet = { paused: false, backlog: 0, health: "good", state: "running", breaker: "closed" };
table("health of a system", (change) => health({ ...quiet, ...change }), [
	[{}, { tone: "good", words: "Up to date" }],
	[{ backlog: 1 }, { tone: "busy", words: "Delivering" }],
	[{ backlog: 1, health: "late" }, { tone: "late", words: "Behind" }],
	[{ backlog: 1, health: "failing", state: "backing_off", breaker: "open" }, { tone: "bad", words: "Failing" }],
	[{ backlog: 1, health: "failing", state: "backing_off", breaker: "half_open" }, { tone: "bad", words: "Trying again" }],
	[{ backlog: 1, health: "failing", state: "stopped", breaker: "open" }, { tone: "bad", words: "Refuses our key" }],
	[{ paused: true, health: "paused", state: "paused" }, { tone: "paused", words: "Paused" }],
	[{ health: undefined }, { tone: "good", words: "Up to date" }],
]);

test("attempts a second are the difference of two readings", () => {
	const reading = (at, delivered, technical) => ({ at, systems: [{ id: "erp", outcomes: { delivered, technical } }] });
	assert.equal(attemptRates([], "erp"), undefined);
	assert.equal(attemptRates([reading(0, 5, 0)], "erp"), undefined);
	assert.deepEqual(attemptRates([reading(0, 5, 0), reading(2000, 25, 3)], "erp"), { good: 10, other: 1.5 });
	assert.deepEqual(attemptRates([reading(0, 500, 9), reading(1000, 2, 0)], "erp"), { good: 0, other: 0 });
	let readings = [];
	for (let at = 0; at <= 3 * RATE_MS; at += 1000)
		readings = remember(readings, reading(at, at / 100, 0));
	assert.equal(readings[0].at, 2 * RATE_MS);
	assert.deepEqual(attemptRates(readings, "erp"), { good: 10, other: 0 });
});

table("an event in a line", (data) => about({ subject: "s", data }), [
	[{}, "s"],
	[{ channel: "shop", external_id: "1001" }, "shop · 1001"],
	[{ channel: "shop", items: [{ sku: "A", available: "3" }, { sku: "B", available: "0" }] }, "shop · A 3, B 0"],
	[{ type: "count", lines: Array.from({ length: 6 }, (_, i) => ({ sku: `S${i}`, quantity: "1" })) }, "count · S0 1, S1 1, S2 1, S3 1, and 2 more"],
	[{ external_id: "1", reason: "late", items: "odd" }, "1 · late"],
]);

table("routes", parseRoute, [
	[["/console/", ""], { page: "overview" }],
	[["/console", ""], { page: "overview" }],
	[["/console/orders", "?q=10%2F1&status=shipped"], { page: "orders", search: "10/1", status: "shipped" }],
	[["/console/orders/a%2Fb%2Ec", ""], { page: "order", id: "a/b.c" }],
	[["/console/trace", "?id=x"], { page: "trace", id: "x" }],
	[["/console/deliveries", "?system=erp"], { page: "deliveries", system: "erp", status: "" }],
	[["/console/dead-letters/d1", ""], { page: "dead-letter", id: "d1" }],
	[["/console/dead-letters", "?operation=order.post"], { page: "dead-letters", system: "", operation: "order.post" }],
	[["/console/stock", ""], { page: "find-stock" }],
	[["/console/stock/TV%2F1", ""], { page: "stock", sku: "TV/1" }],
	[["/console/stock/TV/A%2F1%2E5", ""], { page: "serial", sku: "TV", serial: "A/1.5" }],
	[["/console/stock/TV/1/2", ""], { page: "lost" }],
	[["/console/stock/TV/%zz", ""], { page: "lost" }],
	[["/console/orders/1/2", ""], { page: "lost" }],
	[["/console/exceptions/1", ""], { page: "lost" }],
	[["/console/orders/%zz", ""], { page: "lost" }],
	[["/elsewhere", ""], { page: "lost" }],
]);
table("links", hrefTo, [[["orders", "a/b.c"], "/console/orders/a%2Fb%2Ec"], [["stock", "TV", "A/1"], "/console/stock/TV/A%2F1"], [["exceptions"], "/console/exceptions"]]);
table("keys in the address", keyOfFragment, [["#key=cd_acme_x", "cd_acme_x"], ["#", undefined], ["#key=", undefined], ["#a=1&key=k", "k"]]);
table("whose key it is", tenantOf, [[`cd_acme_${"a".repeat(43)}`, "acme"], [`cd_north_west_${"a".repeat(43)}`, "north_west"],
	["cd_acme_short", undefined], ["", undefined]]);
table("queries leave out what is empty", query, [[["/v1/orders", { a: "x y", b: "", c: undefined, d: 3 }], "/v1/orders?a=x+y&d=3"],
	[["/v1/orders", {}], "/v1/orders"]]);

table("how a subscription stands", (s) => standing(s).text, [
	[{ enabled: true, backlog: 0 }, "Up to date"], [{ enabled: true, backlog: 3 }, "Delivering"], [{ enabled: true, replay: { after: 1, through: 2 } }, "Replaying"],
	[{ enabled: true, backlog: 1, failing_since: "2026-03-01T12:00:00Z" }, "Failing"], [{ enabled: false, failing_since: "2026-03-01T12:00:00Z" }, "Disabled"]]);
table("event types as they are typed", typesOf, [["order.*, shipment.created", ["order.*", "shipment.created"]], [" a\n a ", ["a"]], ["", []]]);
table("a difference is no number", minus, [[["7", "10"], "−3"], [["10.0", "10"], "0"], [["0.3", "0.25"], "+0.05"], [["-2", "0.5"], "−2.5"],
	[["9007199254740993.1", "9007199254740993"], "+0.1"], [["0", "0"], "0"]]);
const run = (status, more) => ({ status, ...more });
table("what a reconciliation came to", outcome, [
	[run("running"), "about to begin"],
	[run("running", { progress: { state: "settling", compared: 12, differences: 1 } }), "waiting for messages that are under way; 12 compared, 1 difference"],
	[run("failed", { summary: { reason: "it does not answer" } }), "it does not answer"],
	[run("done", { summary: { compared: 5, differences: { lost: 0 } } }), "5 compared, no differences"],
	[run("done", { summary: { compared: 5, differences: { lost: 1, late: 1 } } }), "5 compared, 2 differences"]]);
table("and how it stands", (r) => runStanding(r).text, [
	[run("running"), "Running"], [run("failed"), "Failed"], [run("done", { summary: { differences: {} } }), "Agrees"], [run("done", { summary: { differences: { lost: 1 } } }), "Differences"]]);
