// What the parts of the benchmark share: processes that are ended with us, their CPU and memory, a server with its key.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

export const { BUILD = "build/release", WORK } = process.env;
const children = new Set();
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
process.once("exit", () => {
	for (const child of children) child.kill("SIGKILL");
});

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));
export const now = () => performance.now() / 1000;

/* Ended with us; whoever ends it keeps it until then. */
export function keep(child) {
	children.add(child);
	child.once("exit", () => children.delete(child));
	return child;
}
export const run = (command, args, env = {}) =>
	keep(spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } }));

export async function output(child) {
	let text = "";
	child.stdout.setEncoding("utf8").on("data", (part) => (text += part));
	const [code] = await once(child, "close");
	if (code !== 0) throw new Error(`${child.spawnargs.join(" ")} ended with ${code}`);
	return text;
}
export async function listening(child) {
	for await (const line of createInterface({ input: child.stdout })) {
		const found = /^listening on http:.*:(\d+)$/.exec(line);
		if (!found) continue;
		child.stdout.resume();
		return Number(found[1]);
	}
	throw new Error("it does not start");
}
export async function stop(child) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGTERM");
	await ended;
}

const stat = (pid) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
/* User and system time in us: of the process, and with `tree` of its children, those that have ended included. */
export function cpu(pid, tree) {
	const own = stat(pid);
	let ticks = Number(own[11]) + Number(own[12]);
	if (tree) {
		ticks += Number(own[13]) + Number(own[14]);
		for (const other of readdirSync("/proc").filter((n) => /^\d+$/.test(n)))
			try {
				const s = stat(other);
				if (s[1] === String(pid)) ticks += Number(s[11]) + Number(s[12]);
			} catch { /* it has ended */ }
	}
	return ticks * 10_000;
}
/* Resident, in MB. */
export const memory = (pid) => Number(/^Rss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024;

/* A folder with this configuration, and a key for its tenant "bench". */
export function folder(name, configuration) {
	const dir = `${WORK}/${name}`;
	mkdirSync(dir);
	writeFileSync(`${dir}/crossdock.yaml`, configuration);
	const key = JSON.parse(execFileSync(`${BUILD}/crossdock`, ["key", "create", "--tenant", "bench", "--scopes", "admin", "--json", "--dir", dir])).key;
	return { dir, key };
}
/* start_ms: from the start of the program to its first answer. */
export async function serve({ dir, key }) {
	const begin = now();
	const child = run(`${BUILD}/crossdock`, ["serve", dir]);
	const port = await listening(child);
	const call = async (path, options) => {
		const answer = await fetch(`http://127.0.0.1:${port}${path}`, { ...options, headers: { authorization: `Bearer ${key}`, "content-type": "application/json" } });
		if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
		return answer.json();
	};
	const read = (path) => call(path), post = (path, body) => call(path, { method: "POST", body: JSON.stringify(body) });
	await read("/v1/systems");
	return { child, port, key, read, post, start_ms: (now() - begin) * 1000 };
}
export async function sink(...more) {
	const child = run(`${BUILD}/bench/bench_sink`, ["--threads", "1", ...more]);
	return { child, url: `http://127.0.0.1:${await listening(child)}` };
}

let tags = 0;
/* bench_load against a hub; its result. */
export async function load(hub, path, bodies, more) {
	const tag = `z${String(++tags).padStart(3, "0")}`;
	return JSON.parse(await output(run(`${BUILD}/bench/bench_load`, ["--to", `127.0.0.1:${hub.port}`, "--path", path, "--tag", tag,
		"--header", `Authorization: Bearer ${hub.key}`, "--bodies", bodies, "--watch", String(hub.child.pid), ...more])));
}

/* COUNT items at one location, received an hour ago, 1,000 in a movement. */
export async function receive_all(hub, count, sku, quantity) {
	const PAGE = 1000, at = new Date(Date.now() - 3_600_000).toISOString();
	let next = 0;
	const one = async () => {
		for (let from; (from = next) < count;) {
			next += PAGE;
			const lines = Array.from({ length: Math.min(PAGE, count - from) }, (_, i) => ({ sku: sku(from + i), location: "east", quantity: String(quantity) }));
			await hub.post("/v1/stock/movements", { source: "wms", source_event_id: `m${from}`, type: "receive", occurred_at: at, lines });
		}
	};
	await Promise.all([one(), one(), one(), one()]);
}
/* The q-quantile of sorted numbers. */
export const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
/* The line that bench/run takes. */
export const tell = (found) => console.log(JSON.stringify(found).replace(/":/g, '": ').replace(/,"/g, ', "'));
