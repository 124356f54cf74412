/* crossdock reconcile: balances that the server reads, and files of them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { folder, program, root, world } from "./harness.mjs";

/* Before the server: every other page of balances comes too early. */
async function busy(t, hub) {
	const p = { refused: 0, taken: 0 };
	const server = http.createServer(async (request, response) => {
		let body = "";
		for await (const part of request.setEncoding("utf8"))
			body += part;
		if (request.url.endsWith("/balances") && p.refused <= p.taken) {
			p.refused++;
			return response.writeHead(503, { "content-type": "application/problem+json" }).end("{}");
		}
		const answer = await hub.call(request.method, request.url, { body: body || undefined });
		p.taken += request.url.endsWith("/balances") && answer.status === 202;
		response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.text);
	});
	await once(server.listen(0, "127.0.0.1"), "listening");
	t.after(() => {
		server.closeAllConnections();
		server.close();
	});
	p.url = `http://127.0.0.1:${server.address().port}`;
	return p;
}

/* Beside this process, which answers for the systems meanwhile. */
async function reconcile(hub, args, url = hub.url) {
	const child = spawn(program, ["reconcile", ...args, "--url", url], { env: { ...process.env, CROSSDOCK_SHARE: root, CROSSDOCK_KEY: hub.key }, stdio: ["ignore", "pipe", "pipe"] });
	const said = { out: "", err: "" };
	child.stdout.setEncoding("utf8").on("data", (part) => (said.out += part));
	child.stderr.setEncoding("utf8").on("data", (part) => (said.err += part));
	const [code] = await once(child, "close");
	assert.doesNotMatch(said.err, /Sanitizer|runtime error/);
	return { code, ...said };
}

const rules = { wms: "settle: 0s, tolerance: '1'" };

function balances(t, text) {
	const path = join(folder(t), "balances.csv");
	writeFileSync(path, text);
	return path;
}

test("a file that agrees, one that differs, and one that is wrong", async (t) => {
	const { hub } = await world(t, ["shop", "wms"], { rules });
	await hub.count({ A: "5", B: "6", "C, \"red\"": "7" });
	const good = balances(t, 'sku,location,quantity\r\nA,east,5\r\nB,east,6\r\n"C, ""red""",east,7\r\n');
	const same = await reconcile(hub, ["wms", "--file", good]);
	assert.deepEqual([same.code, same.out, same.err], [0, "3 compared, 3 equal\n", ""]);
	assert.equal((await reconcile(hub, ["wms", "--file", good, "--csv"])).out, "sku,location,lot,theirs,ours,as_of,class,action,detail\r\n");

	const other = balances(t, 'quantity,sku,location\n5,A,east\n5,B,east\n3,"C, ""red""",east\n');
	const differs = await reconcile(hub, ["wms", "--file", other, "--on-drift", "report"]);
	assert.equal(differs.code, 1, differs.err);
	const lines = differs.out.trimEnd().split("\n");
	assert.match(lines[1], /^sku +location +lot +theirs +ours +class +action/);
	assert.match(lines.find((l) => l.startsWith("B ")), / 5 +6 +lost +tolerated/);
	assert.match(lines.find((l) => l.startsWith('C, "red"')), / 3 +7 +lost +reported/);

	const json = JSON.parse((await reconcile(hub, ["wms", "--file", other, "--on-drift", "report", "--json"])).out);
	assert.equal(json.status, "done");
	assert.equal(json.summary.compared, 3);
	assert.deepEqual(json.drift.map((d) => [d.sku, d.theirs, d.ours]).sort(), [["B", "5", "6"], ['C, "red"', "3", "7"]]);
	const csv = (await reconcile(hub, ["wms", "--file", other, "--on-drift", "report", "--csv"])).out;
	assert.match(csv, /^"C, ""red""",east,,3,7,/m);

	/* what is tolerated is no difference */
	const near = balances(t, 'sku,location,quantity\nA,east,5\nB,east,5\n"C, ""red""",east,7\n');
	assert.equal((await reconcile(hub, ["wms", "--file", near])).code, 0);

	const before = (await hub.read("/v1/reconciliations")).items.length;
	const wrong = await reconcile(hub, ["wms", "--file", balances(t, "sku,location,quantity\nA,east,5\nB,east,lots\n")]);
	assert.equal(wrong.code, 1);
	assert.match(wrong.err, /line 3.*'lots'.*\[bad_quantity\]/);
	assert.equal((await hub.read("/v1/reconciliations")).items.length, before);
	assert.match((await reconcile(hub, ["nobody", "--wait"])).err, /unknown_system/);
});

test("a file of many pages, some of which the server does not take at once", async (t) => {
	const { hub } = await world(t, ["shop", "wms"], { rules });
	const rows = 60_000;
	await hub.count({ S7: "7", gone: "5" });
	const text = ["sku,location,quantity"];
	for (let i = 0; i < rows; i++)
		text.push(`S${i},east,${i === 7 ? 9 : 0}`);
	const front = await busy(t, hub);
	const { code, out, err } = await reconcile(hub, ["wms", "--file", balances(t, `${text.join("\n")}\n`), "--on-drift", "report", "--json"], front.url);
	assert.equal(code, 1, err);
	assert.deepEqual([front.taken, front.refused], [13, 13]); /* the last one is empty and says that it is */
	const run = JSON.parse(out);
	assert.equal(run.summary.compared, rows + 1);
	assert.deepEqual(run.drift.map((d) => [d.sku, d.theirs, d.ours]).sort(), [["S7", "9", "7"], ["gone", "0", "5"]]);
});

test("without a file the server reads them; it is waited for if that is wanted", async (t) => {
	const { hub, wms } = await world(t, ["shop", "wms"], { rules });
	await hub.count({ A: "5" });
	let quantity = "5";
	wms.handler = (r) => (r.path === "/stock-balances" ? { status: 200, body: { as_of: new Date().toISOString(), items: [{ sku: "A", location: "east", quantity }] } } : undefined);
	const begun = await reconcile(hub, ["wms", "--json"]);
	assert.equal(begun.code, 0, begun.err);
	assert.ok((await hub.read(`/v1/reconciliations/${JSON.parse(begun.out).reconciliation_id}`)).id);
	assert.equal((await reconcile(hub, ["wms", "--wait"])).code, 0);
	quantity = "9";
	const corrected = await reconcile(hub, ["wms", "--wait", "--on-drift", "correct"]);
	assert.equal(corrected.code, 1);
	assert.match(corrected.out, /A +east +9 +5 +lost +corrected/);
	assert.equal((await reconcile(hub, ["wms", "--wait"])).code, 0);
	wms.handler = (r) => (r.path === "/stock-balances" ? { status: 404, body: { detail: "no such thing" } } : undefined);
	const failed = await reconcile(hub, ["wms", "--wait"]);
	assert.equal(failed.code, 1);
	assert.match(failed.err, /has failed: .*404/);
});
