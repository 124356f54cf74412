/* What operators repair: dead letters, deliveries, replay of a system, exceptions, jobs. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { order, program, until, world } from "./harness.mjs";

/* A verb that asks a server, beside this process's own systems. */
async function runLater(args) {
	const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
	const got = { out: "", err: "" };
	child.stdout.on("data", (part) => (got.out += part));
	child.stderr.on("data", (part) => (got.err += part));
	const [code] = await once(child, "close");
	return { code, ...got };
}

async function deadLetters(hub, count, query = "status=open") {
	return until(`${count} dead letters`, async () => {
		const { items } = await hub.read(`/v1/dead-letters?${query}`);
		return items.length === count && items;
	});
}

async function jobDone(hub, id) {
	return until(`job ${id} ends`, async () => {
		const job = await hub.read(`/v1/jobs/${id}`);
		return job.status !== "running" && job;
	});
}

test("a message that could not be used is mended, checked, and mediated again", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "10" });
	const sent = order({ A: "1" });
	const wrong = { ...sent, lines: [{ ...sent.lines[0], quantity: "none" }] };
	(await hub.push("shop", "order", wrong)).expect(202);
	const [dead] = await deadLetters(hub, 1);
	const path = `/v1/dead-letters/${dead.id}`;
	assert.deepEqual(JSON.parse((await hub.read(path)).message.payload), wrong);

	/* still wrong: says where, keeps nothing */
	const refused = (await hub.call("PATCH", path, { body: { payload: { ...wrong, currency: 1 } } })).expect(422, "validation_failed");
	assert.ok(refused.json.errors.some((e) => e.pointer === "/lines/0/quantity"), refused.text);
	assert.equal((await hub.read(path)).edit, undefined);
	(await hub.call("PATCH", path, { body: {} })).expect(422, "validation_failed");

	const mended = (await hub.call("PATCH", path, { body: { payload: sent } })).expect(200).json;
	const changes = [{ op: "replace", pointer: "/lines/0/quantity", from: "none", to: "1" }];
	assert.deepEqual(mended.changes, changes);
	const now = await hub.read(path);
	assert.deepEqual(now.edit.changes, changes);
	assert.ok(now.edit.by && now.edit.at);
	assert.deepEqual(JSON.parse(now.message.payload), wrong, "the original stays");

	(await hub.post(`${path}/replay`)).expect(202);
	await until("the order is there", async () => (await hub.read(`/v1/orders?external_id=${sent.external_id}`)).items.length === 1);
	const closed = await hub.read(path);
	assert.equal(closed.status, "replayed");
	assert.equal(closed.closed_by, closed.edit.by);
	(await hub.post(`${path}/replay`)).expect(409, "dead_letter_closed");
	(await hub.call("PATCH", path, { body: { payload: sent } })).expect(409, "dead_letter_closed");
	(await hub.post("/v1/dead-letters/unheard-of/replay")).expect(404, "dead_letter_not_found");
	const told = (await hub.events(0, "dead_letter.*")).map((e) => e.type.replace(/^.*dead_letter/, "dead_letter"));
	assert.deepEqual(told, ["dead_letter.raised", "dead_letter.edited", "dead_letter.replayed"]);
	assert.equal((await hub.read("/v1/overview")).dead_letters_open, 0);
	await hub.audit();
});

test("a later message about the same order closes its dead letter", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "10" });
	const sent = order({ A: "1" });
	(await hub.push("shop", "order", { ...sent, lines: [{ ...sent.lines[0], quantity: "none" }] })).expect(202);
	(await hub.push("shop", "order", { ...order({ A: "1" }), currency: 7 })).expect(202);
	await deadLetters(hub, 2);
	(await hub.push("shop", "order", sent)).expect(202);
	const [closed] = await deadLetters(hub, 1, "status=closed");
	assert.match(closed.note, /later/);
	await deadLetters(hub, 1);
	await hub.audit();
});

test("a delivery that was given up is sent again: under its id, or mended under another", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "10" });
	erp.handler = (r) => (r.path === "/orders" && r.method === "POST" ? { status: 400, body: { detail: "No such field." } } : undefined);
	const first = await hub.capture(order({ A: "1" }));
	const second = await hub.capture(order({ A: "1" }));
	const dead = await deadLetters(hub, 2);
	const letters = [];
	for (const d of dead)
		letters.push(await hub.read(`/v1/dead-letters/${d.id}`));
	const of = (o) => letters.find((l) => l.delivery.order_id === o.order_id);
	assert.equal(of(first).class, "configuration");
	assert.match(of(first).attempts[0].request, /^POST http.*\/orders/);
	assert.match(of(first).attempts[0].response, /No such field/);
	erp.handler = undefined;

	(await hub.post(`/v1/dead-letters/${of(first).id}/replay`)).expect(202);
	await hub.orderIs(first.order_id, "released");
	const sent = erp.of("/orders").filter((r) => r.json?.order_id === first.order_id);
	assert.equal(new Set(sent.map((r) => r.key)).size, 1);
	const again = await hub.read(`/v1/deliveries/${of(first).delivery.delivery_id}`);
	assert.equal(again.replayed_by, of(first).id);
	assert.equal(again.status, "delivered");

	const payload = JSON.parse(of(second).payload);
	(await hub.call("PATCH", `/v1/dead-letters/${of(second).id}`, { body: { payload: { document: { ...payload.document, lines: 3 } } } })).expect(422, "validation_failed");
	payload.document.notes = [{ text: "mended" }];
	const path = `/v1/dead-letters/${of(second).id}`;
	const answer = await hub.call("PATCH", path, { body: { payload } });
	if (answer.status === 422) {
		delete payload.document.notes;
		payload.document.currency = "EUR";
		(await hub.call("PATCH", path, { body: { payload } })).expect(200);
	}
	(await hub.post(`${path}/replay`)).expect(202);
	await hub.orderIs(second.order_id, "released");
	const keys = new Set(erp.of("/orders").filter((r) => r.json?.order_id === second.order_id).map((r) => r.key));
	assert.equal(keys.size, 2);
	await deadLetters(hub, 0);
	await hub.audit();
});

test("dead letters are replayed by filter as a job, and discarded with a reason", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "1000" });
	erp.handler = (r) => (r.path === "/orders" && r.method === "POST" ? { status: 404 } : undefined);
	const taken = [];
	for (let i = 0; i < 120; i++)
		taken.push(await hub.capture(order({ A: "1" })));
	(await hub.push("shop", "order", "<order/>")).expect(202);
	await until("all are dead", async () => (await hub.read("/v1/overview")).dead_letters_open === 121);
	erp.handler = undefined;
	(await hub.post("/v1/dead-letters/replay", { filter: { system: "erp", color: "red" } })).expect(422, "validation_failed");
	(await hub.post("/v1/dead-letters/replay", { filter: { from: "yesterday" } })).expect(422, "validation_failed");
	const count = async (query) => (await hub.read(`/v1/dead-letters?limit=1000&status=open&${query}`)).items.length;
	assert.equal(await count("operation=order.post"), 120);
	assert.equal(await count("system=erp&operation=order.post&class=configuration"), 120);
	assert.equal(await count("operation=order.cancel"), 0);
	const none = await jobDone(hub, (await hub.post("/v1/dead-letters/replay", { filter: { operation: "order.cancel" } })).expect(202).json.job_id);
	assert.deepEqual([none.status, none.progress.total], ["done", 0]);
	const started = (await hub.post("/v1/dead-letters/replay", { filter: { system: "erp", class: "configuration", operation: "order.post" } })).expect(202).json;
	const job = await jobDone(hub, started.job_id);
	assert.equal(job.status, "done");
	assert.deepEqual(job.progress, { done: 120, failed: 0, total: 120 });
	assert.ok(job.started_by && job.finished_at);
	for (const o of taken)
		await hub.orderIs(o.order_id, "released");
	const [left] = await deadLetters(hub, 1);
	(await hub.post(`/v1/dead-letters/${left.id}/discard`, {})).expect(422, "validation_failed");
	(await hub.post(`/v1/dead-letters/${left.id}/discard`, { reason: "a test of the channel" })).expect(200);
	assert.equal((await hub.read(`/v1/dead-letters/${left.id}`)).note, "a test of the channel");
	/* all that fit, and only those */
	erp.handler = (r) => (r.path === "/orders" && r.method === "POST" ? { status: 404 } : undefined);
	for (let i = 0; i < 3; i++)
		await hub.capture(order({ A: "1" }));
	(await hub.push("shop", "order", "<order/>")).expect(202);
	await until("these are dead", async () => (await hub.read("/v1/overview")).dead_letters_open === 4);
	(await hub.post("/v1/dead-letters/discard", { filter: { operation: "order.post" } })).expect(422, "validation_failed");
	const ended = await jobDone(hub, (await hub.post("/v1/dead-letters/discard", { filter: { operation: "order.post" }, reason: "never ordered" })).expect(202).json.job_id);
	assert.deepEqual([ended.kind, ended.status, ended.progress], ["dead-letters.discard", "done", { done: 3, failed: 0, total: 3 }]);
	const [message] = await deadLetters(hub, 1);
	assert.equal(message.kind, "message");
	assert.equal((await hub.read("/v1/dead-letters?status=discarded&operation=order.post")).items.filter((d) => d.note === "never ordered").length, 3);
	(await hub.post(`/v1/jobs/${started.job_id}/cancel`)).expect(409, "job_ended");
	assert.equal((await hub.read("/v1/jobs")).items.length, 3);
	await hub.audit();
});

test("a delivery that waits is run at once, and a cancelled one is never sent", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"], { delivery: "retry_base: 1h, retry_max: 1h" });
	await hub.count({ A: "10" });
	erp.handler = (r) => (r.path === "/orders" && r.method === "POST" ? { status: 429, headers: { "retry-after": "3600" } } : undefined);
	const first = await hub.capture(order({ A: "1" }));
	await until("it was tried", () => erp.of("/orders").length === 1);
	const second = await hub.capture(order({ A: "1" }));
	/* and neither is prepared: what is, waits too, but cannot be cancelled */
	const waiting = await until("both wait", async () => {
		const items = (await hub.read("/v1/deliveries?system=erp&status=waiting")).items.filter((d) => d.operation === "order.post");
		return items.length === 2 && (await hub.read("/v1/systems/erp")).in_flight === 0 && items;
	});
	assert.deepEqual((await hub.read("/v1/deliveries?status=waiting")).items.map((d) => d.delivery_id).filter((id) => waiting.some((w) => w.delivery_id === id)).length, 2);
	const idOf = (o) => waiting.find((d) => d.order_id === o.order_id).delivery_id;
	(await hub.post(`/v1/deliveries/${idOf(second)}/cancel`, { reason: "not wanted" })).expect(200);
	const cancelled = await hub.read(`/v1/deliveries/${idOf(second)}`);
	assert.deepEqual([cancelled.status, cancelled.reason], ["cancelled", "not wanted"]);
	(await hub.post(`/v1/deliveries/${idOf(second)}/run`)).expect(409, "delivery_ended");
	const sentBefore = erp.of("/orders").filter((r) => r.json?.order_id === second.order_id).length; /* and refused */
	erp.handler = undefined;
	(await hub.post(`/v1/deliveries/${idOf(first)}/run`)).expect(202);
	await hub.advance(3_600_000);
	await hub.orderIs(first.order_id, "released");
	assert.equal(erp.of("/orders").filter((r) => r.json?.order_id === second.order_id).length, sentBefore);
	assert.deepEqual((await hub.read("/v1/deliveries?status=cancelled")).items.map((d) => d.delivery_id), [idOf(second)]);
	assert.deepEqual((await hub.read("/v1/deliveries?status=cancelled&system=erp")).items.map((d) => d.delivery_id), [idOf(second)]);
	(await hub.post("/v1/deliveries/unheard-of/run")).expect(404, "delivery_not_found");
	await hub.audit();
});

test("what a system was told is sent again from a position, also over a restart", async (t) => {
	const { hub, erp, shop } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "1000" });
	const taken = [];
	for (let i = 0; i < 30; i++)
		taken.push(await hub.capture(order({ A: "1" })));
	for (const o of taken)
		await hub.orderIs(o.order_id, "released");
	await until("nothing waits", async () => (await hub.read("/v1/systems/erp")).backlog === 0);
	const before = erp.of("/orders").length;
	(await hub.post("/v1/systems/erp/replay", { dry_run: true })).expect(422, "validation_failed");
	(await hub.post("/v1/systems/none/replay", { after: 0 })).expect(404, "system_not_found");
	const dry = (await hub.post("/v1/systems/erp/replay", { after: 0, operations: ["order.post"], dry_run: true })).expect(200).json;
	assert.deepEqual([dry.deliveries, dry.operations], [30, { "order.post": 30 }]);
	assert.equal(erp.of("/orders").length, before);
	assert.equal((await hub.post("/v1/systems/erp/replay", { from: "2100-01-01T00:00:00Z", dry_run: true })).expect(200).json.deliveries, 0);

	/* from the middle: what came after that position */
	const event = (await hub.events(0, "order.reserved"))[9];
	const some = (await hub.post("/v1/systems/erp/replay", { after: event.position, operations: ["order.post"], dry_run: true })).expect(200).json;
	assert.ok(some.deliveries >= 15 && some.deliveries <= 20, JSON.stringify(some));

	const { job_id } = (await hub.post("/v1/systems/erp/replay", { after: 0, operations: ["order.post"] })).expect(202).json;
	await hub.stop();
	await hub.start();
	assert.equal((await jobDone(hub, job_id)).progress.done, 30);
	await until("all were sent again", () => erp.of("/orders").length === before + 30);
	const again = erp.of("/orders").slice(before);
	assert.deepEqual(again.map((r) => r.key).sort(), erp.of("/orders").slice(0, before).map((r) => r.key).sort());
	assert.equal(erp.objects.length, 30, "the ERP has each once");
	const timeline = await hub.read(`/v1/orders/${taken[0].order_id}/timeline`);
	assert.ok(timeline.entries.some((e) => e.kind === "replay"), "the timeline shows it");

	await until("nothing waits", async () => (await hub.read("/v1/systems/erp")).backlog === 0); /* what is open is not sent again */
	const fresh = (await hub.post("/v1/systems/erp/replay", { after: 0, operations: ["order.post"], new_ids: true })).expect(202).json;
	await jobDone(hub, fresh.job_id);
	await until("under new ids", () => new Set(erp.of("/orders").map((r) => r.key)).size === 60);

	/* of a channel: what is true now */
	await until("the shop is told", () => shop.told("A") === "970");
	const asked = shop.of("/availability").length;
	const all = (await hub.post("/v1/systems/shop/replay", { after: 0, operations: ["availability"] })).expect(202).json;
	assert.equal((await jobDone(hub, all.job_id)).status, "done");
	await until("it is told again", () => shop.of("/availability").length > asked);
	assert.equal(shop.told("A"), "970");
	await hub.audit();
});

test("a replay of a whole system goes beside live traffic and does not hold it up", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"], { systems: { erp: { delivery: "{slots: 4}" } } });
	await hub.count({ A: "1000" });
	for (let i = 0; i < 40; i++)
		await hub.capture(order({ A: "1" }));
	await until("nothing waits", async () => (await hub.read("/v1/systems/erp")).backlog === 0 && erp.of("/orders").length === 40);
	/* What comes again is not answered: it has all that it may have, for as long as the test says. */
	const known = new Set(erp.requests.map((r) => r.key));
	let answer, held = 0;
	const answered = new Promise((done) => (answer = done));
	t.after(() => answer());
	erp.handler = (r) => (known.has(r.key) ? (held++, answered.then(() => undefined)) : undefined);
	const { job_id } = (await hub.post("/v1/systems/erp/replay", { after: 0 })).expect(202).json;
	await until("the replay waits for the ERP", async () => held === 3 && (await hub.read("/v1/systems/erp")).in_memory.bulk >= 40);
	for (let i = 0; i < 5; i++)
		await hub.orderIs((await hub.capture(order({ A: "1" }))).order_id, "released");
	assert.equal(held, 3, "the replay stands where it stood");
	answer();
	assert.equal((await jobDone(hub, job_id)).status, "done");
	await until("all came again", async () => (await hub.read("/v1/systems/erp")).backlog === 0);
	assert.equal(erp.objects.length, 45);
	await hub.audit();
});

test("an exception is assigned and resolved; an order on hold is released or cancelled by it", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	const first = await hub.capture(order({ NEW1: "2" }));
	const second = await hub.capture(order({ NEW2: "2" }));
	await hub.orderIs(first.order_id, "on_hold");
	await hub.orderIs(second.order_id, "on_hold");
	const { items } = await hub.read("/v1/exceptions");
	const of = (o) => items.find((e) => e.order_id === o.order_id && e.kind === "unknown_item").exception_id;
	(await hub.post(`/v1/exceptions/${of(first)}/assign`, { assignee: "sam" })).expect(200);
	assert.equal((await hub.read("/v1/exceptions")).items.find((e) => e.exception_id === of(first)).assignee, "sam");
	(await hub.post(`/v1/exceptions/${of(first)}/resolve`, { resolution: "x", action: "burn" })).expect(422, "validation_failed");
	(await hub.post(`/v1/exceptions/${of(first)}/resolve`, {})).expect(422, "validation_failed");
	(await hub.post(`/v1/exceptions/${of(first)}/resolve`, { resolution: "a new item", action: "release" })).expect(200);
	await until("it goes on", async () => ["backordered", "accepted", "released"].includes((await hub.order(first.order_id)).status));
	(await hub.post(`/v1/exceptions/${of(second)}/resolve`, { resolution: "a typo", action: "cancel" })).expect(200);
	await hub.orderIs(second.order_id, "cancelled");
	(await hub.post(`/v1/exceptions/${of(second)}/resolve`, { resolution: "again" })).expect(409, "exception_resolved");
	(await hub.post("/v1/exceptions/unheard-of/assign", { assignee: "sam" })).expect(404, "exception_not_found");
	const now = (await hub.read("/v1/exceptions")).items.find((e) => e.exception_id === of(second));
	assert.deepEqual([now.status, now.resolution], ["resolved", "a typo"]);
	await hub.stop();
	await hub.start();
	await hub.audit();
});

test("the command line shows, replays and discards", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "10" });
	erp.handler = (r) => (r.path === "/orders" && r.method === "POST" ? { status: 404 } : undefined);
	const taken = [await hub.capture(order({ A: "1" })), await hub.capture(order({ A: "1" }))];
	(await hub.push("shop", "order", "<order/>")).expect(202);
	const dead = await deadLetters(hub, 3);
	const run = (...args) => runLater([...args, "--url", hub.url, "--key", hub.key]);
	const listed = await run("dead-letters", "list", "--system", "erp", "--json");
	assert.equal(listed.code, 0, listed.err);
	assert.equal(listed.out.trim().split("\n").map((l) => JSON.parse(l).class).join(), "configuration,configuration");
	const message = dead.find((d) => d.kind === "message");
	assert.match((await run("dead-letters", "show", message.id)).out, /<order\/>/);
	assert.equal((await run("dead-letters", "discard", message.id)).code, 2);
	assert.equal((await run("dead-letters", "discard", message.id, "--reason", "a test")).code, 0);
	assert.equal((await run("dead-letters", "discard", message.id, "--reason", "a test")).code, 1);
	erp.handler = undefined;
	const replayed = await run("dead-letters", "replay", "--all", "--system", "erp");
	assert.deepEqual([replayed.code, replayed.out.trim()], [0, "done: 2 done, 0 failed, of 2"], replayed.err);
	for (const o of taken)
		await hub.orderIs(o.order_id, "released");
	assert.match((await run("trace", taken[0].correlation_id)).out, /Order captured/);
	assert.match((await run("replay", "erp", "--after", "0", "--operations", "order.post", "--dry-run")).out, /^2 deliveries/);
	assert.equal((await run("replay", "erp", "--after", "0", "--operations", "order.post")).code, 0);
	assert.equal((await run("replay", "erp")).code, 2);
	assert.equal((await run("trace", "unheard-of")).code, 1);
});
