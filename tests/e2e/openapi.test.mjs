// The running program against api/openapi.yaml: every operation is there, asks for a key where it says so, and answers
// whatever it is sent with a status that is documented, in the media type that is documented.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

const program = process.env.CROSSDOCK ?? "build/dev/crossdock";
const config = `
store: sqlite
tenants:
  acme:
    locations: {east: {}}
    systems:
      shop: {connector: canonical, url: "http://127.0.0.1:9", roles: [channel]}
    channels:
      shop: {locations: [east]}
`;
let folder, server, base, key;

// The file is written by rule: paths are indented by two, methods by four, what belongs to them by six,
// statuses by eight unless all fit in one line.
function operations() {
	const list = [];
	let path;
	for (const line of readFileSync(new URL("../../api/openapi.yaml", import.meta.url), "utf8").split("\n")) {
		let m;
		if ((m = /^ {2}"?(\/[^":]*)"?:$/.exec(line)))
			path = m[1];
		else if (/^\w/.test(line))
			path = undefined;
		else if (path && (m = /^ {4}(get|post|delete|put|patch):$/.exec(line)))
			list.push({ path, method: m[1].toUpperCase(), open: false, body: false, statuses: [] });
		else if (path && (m = /^ {6}security: (.*)$/.exec(line)))
			list.at(-1).open = m[1] === "[]";
		else if (path && /^ {6}requestBody:/.test(line))
			list.at(-1).body = true;
		else if (path && /^ {6}responses: \{/.test(line))
			list.at(-1).statuses.push(...[...line.matchAll(/"(\d{3})":/g)].map((found) => Number(found[1])));
		else if (path && (m = /^ {8}"(\d{3})":/.exec(line)))
			list.at(-1).statuses.push(Number(m[1]));
	}
	return list;
}

before(async () => {
	folder = mkdtempSync(join(tmpdir(), "openapi-"));
	writeFileSync(join(folder, "crossdock.yaml"), config);
	const made = ["key", "create", "--tenant", "acme", "--scopes", "admin", "--dir", folder, "--json"];
	key = JSON.parse(execFileSync(program, made, { stdio: ["ignore", "pipe", "ignore"] })).key;
	server = spawn(program, ["serve", folder, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "ignore"] });
	for await (const line of createInterface({ input: server.stdout })) {
		const m = /listening on (http:\S+)/.exec(line);
		if (m) {
			base = m[1];
			break;
		}
	}
	assert.ok(base, "the server did not start");
});

after(async () => {
	if (server && server.exitCode === null) {
		const ended = new Promise((done) => server.once("exit", done));
		server.kill("SIGTERM");
		assert.equal(await ended, 0);
	}
	rmSync(folder, { recursive: true, force: true });
});

async function ask({ path, method }, headers, body) {
	const stop = new AbortController();
	const answer = await fetch(base + path.replace(/\{\w+\}/g, "none"), { method, headers, body, signal: stop.signal });
	const type = answer.headers.get("content-type") ?? "";
	const text = type.startsWith("text/event-stream") ? "" : await answer.text();
	stop.abort();
	return { status: answer.status, type, text, correlation: answer.headers.get("correlation-id") };
}

function check(operation, sent, answer) {
	const what = `${operation.method} ${operation.path} with ${sent}`;
	assert.ok(operation.statuses.includes(answer.status), `${what}: ${answer.status} is not documented. ${answer.text}`);
	assert.ok(answer.correlation, `${what}: no Correlation-Id`);
	if (answer.status >= 400) {
		assert.equal(answer.type, "application/problem+json", what);
		const problem = JSON.parse(answer.text);
		assert.equal(problem.status, answer.status, what);
		assert.equal(problem.correlation_id, answer.correlation, what);
		assert.match(problem.code, /^[a-z_]+$/, what);
	}
}

test("the file has been read", () => {
	assert.ok(operations().length > 25);
	assert.ok(operations().every((o) => o.statuses.length > 0));
});

for (const o of operations()) {
	test(`${o.method} ${o.path}`, async () => {
		const authorization = { Authorization: `Bearer ${key}` };
		const json = { ...authorization, "Content-Type": "application/json" };
		if (!o.open) {
			const answer = await ask(o, {});
			check(o, "no key", answer);
			assert.equal(answer.status, 401);
		}
		check(o, "a key", await ask(o, authorization));
		check(o, "a parameter that is not there", await ask({ ...o, path: `${o.path}?no_such=1` }, authorization));
		if (o.body) {
			for (const body of ["{", "{}", "[]", '{"items":[{}]}', "null"])
				check(o, body, await ask(o, json, body));
			check(o, "another media type", await ask(o, { ...authorization, "Content-Type": "text/xml" }, "<a/>"));
			check(o, "too much", await ask(o, json, " ".repeat(1100000)));
		}
	});
}
