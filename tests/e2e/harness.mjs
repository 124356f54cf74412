/*
 * What the end-to-end tests stand on: the built program (CROSSDOCK names it), each test with a folder, a server and systems
 * of its own. Nothing is waited for by sleeping: conditions are polled until a deadline. Everything that was started is stopped
 * when its test ends, also when it fails, by process id; a server that does not end with exit code 0, or that a sanitizer has
 * reported, fails the test.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import dgram from "node:dgram";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
export const program = resolve(root, process.env.CROSSDOCK ?? "build/dev/crossdock");
const environment = { CROSSDOCK_SHARE: root, ...process.env };

const WAIT_MS = 30_000; /* generous: a sanitized server on a busy machine */
const STOP_MS = 60_000;

/* The first truthy value of look(); fails after the deadline with what it had last, or why. */
export async function until(what, look, ms = WAIT_MS) {
	const deadline = performance.now() + ms;
	let last;
	for (;;) {
		try {
			last = await look();
			if (last)
				return last;
		} catch (e) {
			last = e;
		}
		if (performance.now() > deadline)
			assert.fail(`${what}: not within ${ms} ms; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`);
		await new Promise((done) => setTimeout(done, 20));
	}
}

export function folder(t) {
	const path = mkdtempSync(join(tmpdir(), "crossdock-e2e-"));
	t.after(() => rmSync(path, { recursive: true, force: true }));
	return path;
}

/* Until this process ends, among all that ask here: as nobody else needs UDP, its port of that number says so. */
function reserve(port) {
	const mark = dgram.createSocket("udp4").unref();
	return new Promise((done) => mark.once("error", () => done(false)).bind({ port, address: "127.0.0.1", exclusive: true }, () => done(true)));
}

/* Below the range that the system gives out by itself, so that nobody gets it in between, or while who listens there is away. */
export async function freePort() {
	for (let i = 0; i < 50; i++) {
		const port = randomInt(10_000, 32_000);
		if (!(await reserve(port)))
			continue;
		const probe = net.createServer();
		const free = await new Promise((done) => probe.once("error", () => done(false)).listen(port, "127.0.0.1", () => done(true)));
		await new Promise((done) => probe.close(done));
		if (free)
			return port;
	}
	return assert.fail("no free port");
}

/* ---- processes ---- */

/* A child process that ends with its test. lines: of its standard output. */
class Child {
	constructor(t, name, command, args, options = {}) {
		this.name = name;
		this.log = "";
		this.lines = [];
		this.process = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env: environment, ...options });
		this.ended = once(this.process, "exit").then(([code, signal]) => ({ code, signal }));
		this.process.stderr.on("data", (part) => (this.log = (this.log + part).slice(-1_000_000)));
		createInterface({ input: this.process.stdout }).on("line", (line) => this.lines.push(line));
		t.after(() => this.stop());
	}

	get alive() {
		return this.process.exitCode === null && this.process.signalCode === null;
	}

	async line(pattern) {
		return until(`${this.name} says ${pattern}`, () => {
			const found = this.lines.map((l) => pattern.exec(l)).find(Boolean);
			if (!found && !this.alive)
				assert.fail(`${this.name} ended: ${this.log.slice(-4000)}`);
			return found;
		});
	}

	/* Its end in good order is checked once, by whoever stops it first. */
	async stop() {
		if (this.stopped)
			return;
		this.stopped = true;
		this.process.kill("SIGTERM");
		const timer = setTimeout(() => this.process.kill("SIGKILL"), STOP_MS);
		const { code, signal } = await this.ended;
		clearTimeout(timer);
		const report = /ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed/.exec(this.log);
		if (code !== 0 || report)
			assert.fail(`${this.name} ended with ${signal ?? code}:\n${this.log.slice(report ? report.index : -6000).slice(0, 6000)}`);
	}

	/* As a power cut would: not a failure. */
	async kill() {
		this.stopped = true;
		this.process.kill("SIGKILL");
		await this.ended;
	}
}

/* Runs a verb to its end: {code, out, err}. */
export function cli(args, input) {
	const run = spawnSync(program, args, { env: environment, input, encoding: "utf8", timeout: WAIT_MS });
	if (run.error)
		throw run.error;
	return { code: run.status, out: run.stdout, err: run.stderr };
}

export function createKey(dir, { tenant = "acme", scopes = "admin", system } = {}) {
	const bound = system ? ["--system", system] : [];
	const { code, out, err } = cli(["key", "create", "--tenant", tenant, "--scopes", scopes, "--dir", dir, "--json", ...bound]);
	assert.equal(code, 0, err);
	return JSON.parse(out).key;
}

/* A PostgreSQL server for this test alone; its URL. */
export async function postgres(t) {
	const env = { ...environment, CROSSDOCK_TEST_PG: "" }; /* not one that is there already */
	const echo = ["sh", "-c", 'echo "$CROSSDOCK_TEST_PG"; exec cat'];
	const child = new Child(t, "PostgreSQL", join(root, "tools/with-postgres"), echo, { env });
	const [url] = await child.line(/^postgresql:.*/);
	child.stop = async () => {
		child.process.stdin.end();
		const timer = setTimeout(() => child.process.kill("SIGTERM"), STOP_MS);
		await child.ended;
		clearTimeout(timer);
	};
	return url;
}

/* ---- the server ---- */

export class Answer {
	constructor(status, headers, text) {
		this.status = status;
		this.headers = headers;
		this.text = text;
	}

	get json() {
		return this.text ? JSON.parse(this.text) : undefined;
	}

	/* Fails with what was answered. */
	expect(status, code) {
		assert.equal(this.status, status, this.text);
		if (code)
			assert.equal(this.json.code, code, this.text);
		return this;
	}
}

export class Hub {
	constructor(t, dir) {
		this.t = t;
		this.dir = dir;
	}

	async start(listen = "127.0.0.1:0") {
		this.child = new Child(this.t, "crossdock serve", program, ["serve", this.dir, "--listen", listen]);
		this.url = (await this.child.line(/^listening on (http:\S+)/))[1];
		await until("the server is ready", async () => (await fetch(`${this.url}/readyz`)).ok);
		this.key ??= createKey(this.dir);
		return this;
	}

	stop() {
		return this.child.stop();
	}

	kill() {
		return this.child.kill();
	}

	async call(method, path, { key = this.key, body, headers = {}, signal } = {}) {
		const sent = { ...headers };
		if (key)
			sent.authorization ??= `Bearer ${key}`;
		if (body !== undefined)
			sent["content-type"] ??= "application/json";
		const raw = body === undefined || typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
		const response = await fetch(this.url + path, { method, headers: sent, body: raw, redirect: "manual", signal: signal ?? AbortSignal.timeout(WAIT_MS) });
		return new Answer(response.status, response.headers, await response.text());
	}

	get(path, options) {
		return this.call("GET", path, options);
	}

	post(path, body, options) {
		return this.call("POST", path, { body, ...options });
	}

	/* The JSON of a good answer. */
	async read(path) {
		return (await this.get(path)).expect(200).json;
	}

	/* Moves the server's clock on. */
	async advance(ms) {
		(await this.post("/_test/clock", { advance_ms: ms })).expect(200);
	}

	async push(system, type, document, options) {
		return this.post(`/in/acme/${system}/${type}`, document, options);
	}

	async capture(body, options) {
		return (await this.post("/v1/orders", body, options)).expect(202).json;
	}

	/* Stock that the warehouse says there is, once it has been applied. */
	async count(quantities, { location = "east" } = {}) {
		const lines = Object.entries(quantities).map(([sku, quantity]) => ({ sku, location, quantity }));
		const id = randomUUID();
		(await this.post("/v1/stock/movements", {
			source: "wms", source_event_id: id, type: "count", occurred_at: new Date().toISOString(), lines,
		})).expect(200);
	}

	async order(orderId) {
		return this.read(`/v1/orders/${orderId}`);
	}

	/* And what is answered from memory, as stock is, knows it too: an order is read from the store, which may be a moment ahead. */
	async orderIs(orderId, status) {
		const order = await until(`order ${orderId} is ${status}`, async () => {
			const o = await this.order(orderId);
			if (o.status !== status)
				throw new Error(`it is ${o.status}`);
			return o;
		});
		const { entries } = await this.read(`/v1/orders/${orderId}/timeline`);
		const last = Math.max(...entries.map((e) => e.position ?? 0));
		await until("it is shown", async () => (await this.read("/v1/overview")).position >= last);
		return order;
	}

	async stock(sku) {
		return this.read(`/v1/stock/${encodeURIComponent(sku)}`);
	}

	async available(channel, sku) {
		const { items } = await this.read(`/v1/availability?channel=${channel}&sku=${encodeURIComponent(sku)}`);
		return items[0].available;
	}

	/* All events after a position. */
	async events(after = 0, type = "") {
		const all = [];
		for (let page; (page = await this.read(`/v1/events?after=${after}&limit=1000${type && `&type=${type}`}`)).items.length > 0;) {
			all.push(...page.items);
			after = page.items.at(-1).position;
		}
		return all;
	}

	async audit() {
		const audit = await this.read("/v1/audit");
		assert.ok(audit.ok, JSON.stringify(audit.checks.filter((c) => !c.ok)));
	}

	/*
	 * Bytes as they are; what the server answers until it closes, or `enough` says so. With everyMs the last part of them comes
	 * one by one.
	 */
	async raw(bytes, enough = () => false, { trickle = "", everyMs = 100 } = {}) {
		const { hostname, port } = new URL(this.url);
		const socket = net.connect(Number(port), hostname);
		let heard = Buffer.alloc(0);
		socket.on("data", (part) => {
			heard = Buffer.concat([heard, part]);
			if (enough(heard.toString("latin1")))
				socket.destroy();
		});
		socket.setTimeout(WAIT_MS, () => socket.destroy(new Error("no answer")));
		socket.write(bytes);
		const closed = new Promise((done, fail) => socket.once("close", done).once("error", (e) => (e.code === "ECONNRESET" || e.code === "EPIPE" ? done() : fail(e))));
		let at = 0;
		const timer = setInterval(() => at < trickle.length && socket.writable && socket.write(trickle[at++]), everyMs);
		await closed;
		clearInterval(timer);
		const text = heard.toString("latin1");
		const [head, ...body] = text.split("\r\n\r\n");
		return new Answer(Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), head, body.join("\r\n\r\n"));
	}
}

/* The example folder's tenant, with the systems at the given addresses. Text, so that a test can change it. */
export function configuration(systems, { store = "sqlite", extra = "", rules = {}, shop = "", locations = 'east: {}, west: {safety_stock: "2"}', delivery = "retry_base: 50ms, retry_max: 500ms, confirm_after: 200ms" } = {}) {
	const rows = {
		shop: "roles: [channel]",
		portal: "roles: [channel]",
		erp: "roles: [erp]",
		wms: "roles: [warehouse], locations: [east, west]",
	};
	const named = Object.entries(rows).filter(([name]) => systems[name]);
	const channels = { shop: `shop: {locations: [east, west], share: 100%, buffer: "0"${shop}}`, portal: 'portal: {locations: [east], share: 50%, buffer: "1", cap: "100"}' };
	const owners = { stock: "wms", price: "erp", customer: "erp", item: "erp" };
	const records = Object.entries(owners).filter(([, name]) => systems[name]).map(([what, name]) => `${what}: ${name}`).join(", ");
	return [
		"listen: 127.0.0.1:0",
		`store: ${store}`,
		...(extra ? [extra] : []),
		"tenants:",
		"  acme:",
		`    locations: {${locations}}`,
		"    systems:",
		...named.map(([name, rest]) => {
			const { url, connector = "canonical", ...more } = typeof systems[name] === "string" ? { url: systems[name] } : systems[name];
			const fields = Object.entries(more).map(([key, value]) => `, ${key}: ${value}`).join("");
			return `      ${name}: {connector: ${connector}, url: "${url}", ${rest}${fields}}`;
		}),
		"    channels:",
		...Object.entries(channels).filter(([name]) => systems[name]).map(([, row]) => `      ${row}`),
		`    records: {${records}}`,
		"    processes: {order: order-to-cash}",
		...(Object.keys(rules).length ? ["    reconcile:", ...Object.entries(rules).map(([name, row]) => `      ${name}: {${row}}`)] : []),
		`    delivery: {${delivery}}`,
		"  other:",
		"    locations: {east: {}}",
		"    systems:",
		'      shop: {connector: canonical, url: "http://127.0.0.1:9", roles: [channel]}',
		'      wms: {connector: canonical, url: "http://127.0.0.1:9", roles: [warehouse], locations: [east]}',
		"",
	].join("\n");
}

/* A server over a folder with this configuration. */
/* packs: files of connectors of its own, by name and file. */
export async function serve(t, text, { secrets = {}, packs = {}, listen } = {}) {
	const dir = folder(t);
	assert.equal(cli(["init", dir]).code, 0);
	writeFileSync(join(dir, "crossdock.yaml"), text);
	for (const [name, files] of Object.entries(packs)) {
		mkdirSync(join(dir, "connectors", name), { recursive: true });
		for (const [file, content] of Object.entries(files))
			writeFileSync(join(dir, "connectors", name, file), content);
	}
	for (const [name, value] of Object.entries(secrets)) {
		const { code, err } = cli(["secret", "set", name, "--dir", dir], value);
		assert.equal(code, 0, err);
	}
	const { code, out } = cli(["check", dir]);
	assert.equal(code, 0, out);
	return new Hub(t, dir).start(listen);
}

/* ---- systems ---- */

/*
 * A system that speaks the canonical connector, in this process, for tests that need exact control. It answers a repeated
 * Idempotency-Key as the first time. `requests` is all that has come in; `handler`, if set, is asked first: it gets the request
 * and answers {status, body, headers}, "close" (no answer), "lose" (does it, then gives no answer), or nothing (goes on as usual).
 */
export class Peer {
	static async start(t, name) {
		const p = new Peer();
		p.name = name;
		p.requests = [];
		p.answers = new Map();
		p.objects = [];
		p.sockets = new Set();
		p.server = http.createServer((request, response) => p.#take(request, response));
		p.server.on("connection", (s) => {
			p.sockets.add(s);
			s.once("close", () => p.sockets.delete(s));
		});
		/* A port that no client is given while this peer is away. */
		p.server.listen(await freePort(), "127.0.0.1");
		await once(p.server, "listening");
		p.port = p.server.address().port;
		p.url = `http://127.0.0.1:${p.port}`;
		t.after(() => p.stop());
		return p;
	}

	/* No longer there: connections are refused. */
	async stop() {
		if (!this.server.listening)
			return;
		const closed = once(this.server, "close");
		this.server.close();
		for (const s of this.sockets)
			s.destroy();
		await closed;
	}

	async again() {
		this.server.listen(this.port, "127.0.0.1");
		await once(this.server, "listening");
	}

	of(path) {
		return this.requests.filter((r) => r.path === path);
	}

	/* The newest number that a channel was told. */
	told(sku) {
		const items = this.of("/availability").flatMap((r) => r.json.items.filter((i) => i.sku === sku));
		return items.sort((a, b) => a.version - b.version).at(-1)?.available;
	}

	async #take(request, response) {
		let text = "";
		try {
			for await (const part of request.setEncoding("utf8"))
				text += part;
		} catch {
			return;
		}
		const { pathname, searchParams } = new URL(request.url, "http://x");
		const r = { method: request.method, path: pathname, query: searchParams, headers: request.headers, text, key: request.headers["idempotency-key"] };
		r.json = text ? JSON.parse(text) : undefined;
		this.requests.push(r);
		const wish = await this.handler?.(r);
		if (wish === "close")
			return response.destroy();
		const answer = wish && wish !== "lose" ? wish : this.#usual(r);
		if (wish === "lose")
			return response.destroy();
		response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
		response.end(answer.body === undefined ? "" : JSON.stringify(answer.body));
	}

	#usual(r) {
		if (r.method === "GET") {
			const wanted = r.query.get("order_id");
			return { status: 200, body: { items: this.objects.filter((o) => o.path === r.path && o.order_id === wanted) } };
		}
		if (!this.answers.has(r.key)) {
			const made = r.path === "/orders" || r.path === "/shipment-requests";
			const external_id = made ? `${this.name}-${this.objects.length + 1}` : undefined;
			if (made)
				this.objects.push({ path: r.path, order_id: r.json.order_id, external_id, document: r.json });
			this.answers.set(r.key, made ? { status: 201, body: { external_id } } : { status: 200, body: {} });
		}
		return this.answers.get(r.key);
	}
}

/* Peers for the named systems, and a server that is connected with them. */
export async function world(t, names = ["shop", "portal", "erp", "wms"], options = {}) {
	const peers = {};
	for (const name of names)
		peers[name] = await Peer.start(t, name);
	const systems = Object.fromEntries(names.map((name) => [name, { url: peers[name].url, ...options.systems?.[name] }]));
	const hub = await serve(t, configuration(systems, options), options);
	return { hub, ...peers };
}

/* Lets the warehouse ship what it is asked to ship, at once. */
export function shipsAtOnce(hub, wms) {
	wms.handler = (r) => {
		if (r.method !== "POST" || r.path !== "/shipment-requests" || wms.answers.has(r.key))
			return undefined;
		const { order_id, lines } = r.json;
		const sent = { shipment_id: `s-${r.key}`, order_id, shipped_at: new Date().toISOString(), lines: lines.map(({ line_id, sku, location, quantity }) => ({ line_id, sku, location: location ?? "east", quantity })) };
		void hub.push("wms", "shipment", sent).then((a) => a.expect(202));
		return undefined;
	};
}

/* The product's own sandbox systems beside a server: {hub, ask(system, path, body), state(system), log(system), behave(system, rule)}. */
export async function sandbox(t, { store, pickMs = 0, rules } = {}) {
	const port = await freePort();
	const dir = folder(t);
	const ports = {};
	for (const name of ["erp", "wms", "shop", "portal"])
		ports[name] = await freePort();
	const text = configuration(Object.fromEntries(Object.entries(ports).map(([name, p]) => [name, `http://127.0.0.1:${p}`])), { store, rules });
	writeFileSync(join(dir, "crossdock.yaml"), text);
	const hub = new Hub(t, dir);
	hub.key = createKey(dir);
	const args = ["sandbox", "--hub", `http://127.0.0.1:${port}`, "--tenant", "acme", "--pick-ms", String(pickMs), "--erp", String(ports.erp),
		"--warehouse", `wms:${ports.wms}`, "--shop", `shop:${ports.shop}`, "--shop", `portal:${ports.portal}`];
	const child = new Child(t, "crossdock sandbox", program, args, { env: { ...environment, CROSSDOCK_KEY: hub.key } });
	await child.line(/^shop portal http/);
	await hub.start(`127.0.0.1:${port}`);
	const ask = async (name, path, body) => {
		const response = await fetch(`http://127.0.0.1:${ports[name]}${path}`, body ? { method: "POST", body: JSON.stringify(body) } : {});
		assert.ok(response.ok, `${name} ${path}: ${response.status}`);
		return response.json();
	};
	return {
		hub,
		child,
		ask,
		state: (name) => ask(name, "/_state"),
		log: (name) => ask(name, "/_log"),
		behave: (name, rule) => ask(name, "/_behave", rule),
	};
}

/* ---- documents ---- */

let last = 0;

/* lines: {sku: quantity}. Each order has an external id of its own. */
export function order(lines = { A: "1" }, changes = {}) {
	return {
		channel: "shop",
		external_id: `x-${process.pid}-${++last}`,
		placed_at: "2026-03-01T12:00:00.000Z",
		currency: "GBP",
		customer: { external_id: "C1" },
		lines: Object.entries(lines).map(([sku, quantity], i) => ({ line_id: String(i + 1), sku, quantity, uom: "EA", unit_price: "2.55" })),
		...changes,
	};
}

export function shipment(orderId, lines, changes = {}) {
	return {
		shipment_id: `s-${++last}`,
		order_id: orderId,
		shipped_at: new Date().toISOString(),
		lines: Object.entries(lines).map(([sku, quantity], i) => ({ line_id: String(i + 1), sku, location: "east", quantity })),
		...changes,
	};
}

/* Sum over the places of one state: state(await hub.stock("A"), "free"). */
export function inState(stock, state) {
	return stock.positions.reduce((sum, p) => sum + Number(p.states[state] ?? 0), 0);
}
