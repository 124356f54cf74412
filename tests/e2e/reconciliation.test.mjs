/* Reconciliations: balances of the warehouse and of a channel, read and given, against a ledger that is in use. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { cli, order, sandbox, until, world } from "./harness.mjs";

/* Answers GET /stock-balances (or GET /availability of a channel) with these pages. */
function holds(peer, path, look) {
	peer.handler = (r) => {
		if (r.method !== "GET" || r.path !== path)
			return undefined;
		const items = look();
		const at = Number(r.query.get("cursor") ?? 0);
		const next = at + 2;
		return {
			status: 200,
			body: { as_of: look.as_of?.() ?? new Date().toISOString(), items: items.slice(at, next), next_cursor: next < items.length ? String(next) : null },
		};
	};
}

async function move(hub, type, lines, more = {}) {
	(await hub.post("/v1/stock/movements", { source: "wms", source_event_id: randomUUID(), type, occurred_at: new Date().toISOString(), lines, ...more })).expect(200);
}

async function ended(hub, id) {
	return until(`the reconciliation ${id} has ended`, async () => {
		const r = await hub.read(`/v1/reconciliations/${id}`);
		return r.status !== "running" && r;
	});
}

async function begin(hub, body) {
	return (await hub.post("/v1/reconciliations", body)).expect(202).json.reconciliation_id;
}

const start = (t, names, rules) => world(t, names, { rules });

test("balances that agree, over several pages, are a reconciliation without differences", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms"], { wms: "settle: 0s" });
	await hub.count({ A: "5", B: "6", C: "7" });
	await hub.count({ A: "2" }, { location: "west" });
	holds(wms, "/stock-balances", () => [
		{ sku: "A", location: "east", quantity: "5" },
		{ sku: "B", location: "east", quantity: "6" },
		{ sku: "C", location: "east", quantity: "7" },
		{ sku: "A", location: "west", quantity: "2" },
		{ sku: "unknown-and-none-of-it", location: "west", quantity: "0" },
	]);
	const r = await ended(hub, await begin(hub, { system: "wms" }));
	assert.equal(r.status, "done", JSON.stringify(r));
	assert.deepEqual([r.summary.compared, r.summary.equal], [5, 5]);
	assert.deepEqual(await hub.read(`/v1/reconciliations/${r.id}/drift`), { items: [], next_cursor: null });
	assert.deepEqual((await hub.events(0, "reconciliation.*")).map((e) => e.type.split(".").at(-1)), ["started", "completed"]);
});

test("each kind of difference is told from the others, raised, and in the report", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms"], { wms: "settle: 0s, tolerance: '1'" });
	await hub.count({ lost: "10", near: "10", gone: "4", unit: "12" });
	await move(hub, "receive", [{ sku: "twice", location: "east", quantity: "5" }]);
	await move(hub, "receive", [{ sku: "twice", location: "east", quantity: "5" }]);
	holds(wms, "/stock-balances", () => [
		{ sku: "lost", location: "east", quantity: "7" },
		{ sku: "near", location: "east", quantity: "9" },
		{ sku: "twice", location: "east", quantity: "5" },
		{ sku: "nobody", location: "east", quantity: "3" },
		{ sku: "unit", location: "elsewhere", quantity: "12" },
		{ sku: "unit", location: "east", quantity: "12" },
	]);
	const r = await ended(hub, await begin(hub, { system: "wms" }));
	assert.equal(r.status, "done", JSON.stringify(r));
	assert.deepEqual(r.summary.differences, { late: 0, lost: 3, double: 1, master_data: 2 });
	assert.deepEqual(r.summary.actions, { reported: 0, tolerated: 1, corrected: 0, raised: 5 });
	const { items } = await hub.read(`/v1/reconciliations/${r.id}/drift`);
	const found = Object.fromEntries(items.map((d) => [`${d.sku}@${d.location}`, [d.theirs, d.ours, d.class, d.action]]));
	assert.deepEqual(found, {
		"lost@east": ["7", "10", "lost", "raised"],
		"near@east": ["9", "10", "lost", "tolerated"],
		"gone@east": ["0", "4", "lost", "raised"],
		"twice@east": ["5", "10", "double", "raised"],
		"nobody@east": ["3", "0", "master_data", "raised"],
		"unit@elsewhere": ["12", "0", "master_data", "raised"],
	});
	assert.equal((await hub.read(`/v1/reconciliations/${r.id}/drift?class=double`)).items.length, 1);
	const csv = (await hub.get(`/v1/reconciliations/${r.id}/report.csv`)).expect(200);
	assert.match(csv.headers.get("content-type"), /^text\/csv/);
	assert.equal(csv.text.split("\r\n").length, 1 + 6 + 1);
	assert.match(csv.text, /^"lost","east","",7,10,.*,lost,raised,""$/m);
	const exceptions = (await hub.read("/v1/exceptions")).items.filter((e) => e.kind === "stock_drift");
	assert.equal(exceptions.length, 5);
	assert.match(exceptions.find((e) => e.subject === "lost at east").detail, /wms has 7 of lost at east, the ledger has 10/);
	assert.match((await hub.get("/metrics")).text, /crossdock_balance_drift_items_total\{tenant="acme",system="wms",class="lost"\} 3/);
	await hub.audit();
});

test("what is under way makes no difference: booked after their instant, or booked late", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms"], { wms: "settle: 10m" });
	await hub.count({ A: "10", B: "10" });
	const as_of = new Date().toISOString();
	const look = () => [
		{ sku: "A", location: "east", quantity: "10" },
		{ sku: "B", location: "east", quantity: "6" }, /* its adjustment is not here yet */
	];
	look.as_of = () => as_of;
	holds(wms, "/stock-balances", look);
	await until("the clock is past it", () => new Date().toISOString() > as_of);
	await move(hub, "adjust", [{ sku: "A", location: "east", quantity: "-3" }]);
	const id = await begin(hub, { system: "wms" });
	await until("it settles", async () => (await hub.read(`/v1/reconciliations/${id}`)).progress?.state === "settling");
	await move(hub, "adjust", [{ sku: "B", location: "east", quantity: "-4" }], { occurred_at: as_of });
	await hub.advance(11 * 60 * 1000);
	const r = await ended(hub, id);
	assert.deepEqual(r.summary.differences, { late: 1, lost: 0, double: 0, master_data: 0 });
	assert.equal((await hub.read("/v1/exceptions")).items.length, 0);
});

test("a difference from the record is corrected by a count of it, and published", async (t) => {
	const { hub, wms, shop } = await start(t, ["shop", "wms"], { wms: "settle: 0s, on_drift: correct" });
	await hub.count({ A: "10" });
	await until("the shop was told", () => shop.told("A") === "10");
	holds(wms, "/stock-balances", () => [{ sku: "A", location: "east", quantity: "7" }]);
	const r = await ended(hub, await begin(hub, { system: "wms" }));
	assert.deepEqual(r.summary.actions, { reported: 0, tolerated: 0, corrected: 1, raised: 0 });
	assert.equal(await hub.available("shop", "A"), "7");
	await until("the shop was told again", () => shop.told("A") === "7");
	const again = await ended(hub, await begin(hub, { system: "wms" }));
	assert.deepEqual([again.summary.compared, again.summary.equal], [1, 1]);
	await hub.audit();
});

test("so much that differs is not corrected but raised", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms"], { wms: "settle: 0s, on_drift: correct" });
	const skus = Array.from({ length: 150 }, (_, i) => `S${i}`);
	await hub.count(Object.fromEntries(skus.map((s) => [s, "5"])));
	holds(wms, "/stock-balances", () => [{ sku: "S0", location: "east", quantity: "5" }]); /* an export that broke off */
	const r = await ended(hub, await begin(hub, { system: "wms" }));
	assert.equal(r.summary.actions.corrected, 0);
	assert.deepEqual([r.summary.actions.raised, r.summary.actions.reported], [100, 49]);
	assert.ok(r.summary.not_corrected);
	assert.equal(await hub.available("shop", "S7"), "5");
	assert.equal((await hub.read("/v1/exceptions?limit=1000")).items.filter((e) => /49 more differences/.test(e.detail)).length, 1);
});

test("a channel that shows something else is told again", async (t) => {
	const { hub, shop } = await start(t, ["shop", "wms"], { shop: "settle: 0s, on_drift: correct" });
	await hub.count({ A: "10", B: "4" });
	await until("the shop was told", () => shop.told("A") === "10" && shop.told("B") === "4");
	const shown = { A: "12", B: "4" };
	holds(shop, "/availability", () => Object.entries(shown).map(([sku, available]) => ({ sku, available })));
	const r = await ended(hub, await begin(hub, { system: "shop" }));
	assert.equal(r.status, "done", JSON.stringify(r));
	assert.deepEqual([r.summary.differences.lost, r.summary.actions.corrected], [1, 1]);
	await until("it is told again", () => shop.of("/availability").filter((q) => q.method === "POST").at(-1).json.items.some((i) => i.sku === "A" && i.available === "10" && i.expected === "12"));
});

test("balances can be given in pages; unknown, ended and wrong ones are refused", async (t) => {
	const { hub } = await start(t, ["shop", "wms"], { wms: "settle: 0s" });
	await hub.count({ A: "5", B: "6" });
	const id = await begin(hub, { system: "wms", balances: "given", on_drift: "report" });
	const give = (body, to = id) => hub.post(`/v1/reconciliations/${to}/balances`, body);
	const as_of = new Date().toISOString();
	await until("it has begun", async () => (await give({ as_of, items: [{ sku: "A", location: "east", quantity: "5" }] })).status === 202);
	(await give({ as_of, items: [{ sku: "A", qty: "5" }] })).expect(422, "validation_failed");
	(await give({ as_of, items: [{ sku: "A" }] })).expect(422, "validation_failed");
	(await give("{")).expect(400, "invalid_json");
	(await give({ as_of, items: [] }, randomUUID())).expect(404, "reconciliation_not_found");
	(await give({ as_of, items: [{ sku: "B", location: "east", quantity: "9" }], last: true })).expect(202);
	const r = await ended(hub, id);
	assert.deepEqual([r.summary.compared, r.summary.equal, r.summary.actions.reported], [2, 1, 1]);
	(await give({ as_of, items: [] })).expect(404, "reconciliation_not_found");
	(await hub.post("/v1/reconciliations", { system: "nobody" })).expect(422, "unknown_system");
	(await hub.post("/v1/reconciliations", { system: "shop", on_drift: "mend" })).expect(422, "validation_failed");
	assert.equal((await hub.read("/v1/reconciliations")).items.length, 1);
});

test("a system that fails is asked again, and one that refuses ends the run", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms"], { wms: "settle: 0s" });
	await hub.count({ A: "5" });
	let asked = 0;
	wms.handler = (r) => {
		if (r.path !== "/stock-balances")
			return undefined;
		if (++asked === 1)
			return { status: 503, headers: { "retry-after": "1" } };
		return { status: 200, body: { as_of: new Date().toISOString(), items: [{ sku: "A", location: "east", quantity: "5" }] } };
	};
	const id = await begin(hub, { system: "wms" });
	await until("it was asked", () => asked === 1);
	await hub.advance(5000);
	assert.equal((await ended(hub, id)).summary.equal, 1);
	wms.handler = () => ({ status: 404, body: { detail: "no such thing here" } });
	const failed = await ended(hub, await begin(hub, { system: "wms" }));
	assert.equal(failed.status, "failed");
	assert.match(failed.summary.reason, /404.*no such thing here/);
	wms.handler = () => ({ status: 200, body: { items: "all" } });
	assert.match((await ended(hub, await begin(hub, { system: "wms" }))).summary.reason, /not one of balances/);
});

test("one that is under way is begun again after a kill; one whose balances were given is not", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms"], { wms: "settle: 0s" });
	await hub.count({ A: "5" });
	let answer = "close";
	wms.handler = (r) => (r.path === "/stock-balances" ? answer : undefined);
	const read = await begin(hub, { system: "wms" });
	const given = await begin(hub, { system: "wms", balances: "given" });
	await hub.kill();
	answer = { status: 200, body: { as_of: new Date().toISOString(), items: [{ sku: "A", location: "east", quantity: "5" }] } };
	await hub.start();
	assert.equal((await ended(hub, read)).summary.equal, 1);
	assert.match((await ended(hub, given)).summary.reason, /sent again/);
});

test("a schedule begins them by itself", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms"], { wms: "settle: 0s, every: 1h" });
	await hub.count({ A: "5" });
	holds(wms, "/stock-balances", () => [{ sku: "A", location: "east", quantity: "5" }]);
	assert.equal((await hub.read("/v1/reconciliations")).items.length, 0);
	await until("two were done", async () => {
		await hub.advance(61 * 60 * 1000); /* one that is due while another ends waits for the next hour */
		const { items } = await hub.read("/v1/reconciliations");
		return items.every((r) => ["running", "done"].includes(r.status)) && items.filter((r) => r.status === "done").length >= 2;
	});
});

test("an order that is allocated, and shipped meanwhile, is no difference", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms", "erp"], { wms: "settle: 0s" });
	await hub.count({ A: "10" });
	const o = await hub.capture(order({ A: "3" }));
	await hub.orderIs(o.order_id, "released");
	let quantity = "10";
	const usual = wms.handler;
	holds(wms, "/stock-balances", () => [{ sku: "A", location: "east", quantity }]);
	assert.equal((await ended(hub, await begin(hub, { system: "wms" }))).summary.equal, 1);
	wms.handler = usual;
	(await hub.push("wms", "shipment", { shipment_id: "s1", order_id: o.order_id, shipped_at: new Date().toISOString(), lines: [{ line_id: "1", sku: "A", location: "east", quantity: "3" }] })).expect(202);
	await hub.orderIs(o.order_id, "shipped");
	quantity = "7";
	holds(wms, "/stock-balances", () => [{ sku: "A", location: "east", quantity }]);
	assert.equal((await ended(hub, await begin(hub, { system: "wms" }))).summary.equal, 1);
});

test("systems of the sandbox that are made to differ are put right", async (t) => {
	const { hub, ask, state } = await sandbox(t, { rules: { wms: "settle: 0s, on_drift: correct", shop: "settle: 0s, on_drift: correct" } });
	const lay = (on_hand) => ask("wms", "/_stock", { items: [{ sku: "A", location: "east", on_hand }] });
	const shown = async () => (await state("shop")).items.find((i) => i.sku === "A")?.available;
	await lay("10"); /* the hub does not hear of it */
	await hub.count({ A: "12" });
	await until("the shop was told", async () => (await shown()) === "12");
	const first = await ended(hub, await begin(hub, { system: "wms" }));
	assert.equal(first.summary.actions.corrected, 1, JSON.stringify(first));
	await until("the shop was told what is there", async () => (await shown()) === "10");
	assert.equal((await ended(hub, await begin(hub, { system: "wms" }))).summary.equal, 1);

	await ask("shop", "/_shown", { items: [{ sku: "A", available: "99" }] });
	assert.equal(await shown(), "99");
	assert.equal((await ended(hub, await begin(hub, { system: "shop" }))).summary.actions.corrected, 1);
	await until("the shop shows it again", async () => (await shown()) === "10");
	await hub.audit();
});

test("one that runs is cancelled, also across a restart", async (t) => {
	const { hub, wms } = await start(t, ["shop", "wms"], { wms: "settle: 1h" });
	await hub.count({ A: "5" });
	holds(wms, "/stock-balances", () => [{ sku: "A", location: "east", quantity: "4" }]);
	const id = await begin(hub, { system: "wms" });
	await until("it waits for messages to settle", async () => (await hub.read(`/v1/reconciliations/${id}`)).progress?.state === "settling");
	const given = await begin(hub, { system: "wms", balances: "given" });
	(await hub.post(`/v1/reconciliations/${id}/cancel`, { reason: "by mistake" })).expect(200);
	(await hub.post(`/v1/reconciliations/${given}/cancel`, {})).expect(200);
	(await hub.post(`/v1/reconciliations/${id}/cancel`, {})).expect(409, "reconciliation_ended");
	(await hub.post("/v1/reconciliations/none/cancel", {})).expect(404, "reconciliation_not_found");
	const over = await hub.read(`/v1/reconciliations/${id}`);
	assert.equal(over.status, "cancelled");
	const [event] = await hub.events(0, "reconciliation.cancelled");
	assert.deepEqual([event.data.reconciliation_id, event.data.summary.reason], [id, "by mistake"]);
	await until("nothing is done for it any more", async () => !(await hub.read(`/v1/reconciliations/${id}`)).progress);
	(await hub.post(`/v1/reconciliations/${given}/balances`, { as_of: new Date().toISOString(), last: true, items: [] })).expect(404, "reconciliation_not_found");
	await hub.advance(7_200_000);
	await hub.kill();
	await hub.start();
	const next = await begin(hub, { system: "wms" });
	await until("the next one runs", async () => (await hub.read(`/v1/reconciliations/${next}`)).progress?.state === "settling");
	assert.equal((await hub.read(`/v1/reconciliations/${id}`)).status, "cancelled");
	assert.equal((await hub.read("/v1/exceptions")).items.length, 0);
	const { code, out } = cli(["reconcile", "--cancel", next, "--url", hub.url, "--key", hub.key]);
	assert.equal(code, 0, out);
	assert.equal((await hub.read(`/v1/reconciliations/${next}`)).status, "cancelled");
	await hub.audit();
});
