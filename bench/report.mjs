// report.mjs count URL KEY            the orders that a hub holds, as {"stored": N}
// report.mjs report NDJSON JSON [--short] [--write]
//     checks that nothing was lost, prints the tables, writes JSON; --write puts the tables into RESULTS.md.
import { readFileSync, writeFileSync } from "node:fs";
import os from "node:os";

const [verb, ...rest] = process.argv.slice(2);

async function count(url, key) {
	const answer = await fetch(`${url}/v1/overview`, { headers: { authorization: `Bearer ${key}` } });
	const overview = await answer.json();
	if (!answer.ok) throw new Error(JSON.stringify(overview));
	console.log(JSON.stringify({ stored: overview.orders_total }).replace(":", ": "));
}

// ---- checks ----

function problems(rows) {
	const found = [];
	const whats = new Set(rows.filter((r) => r.phase === "check").map((r) => r.what));
	for (const r of rows.filter((r) => r.statuses)) {
		const refused = r.sent - r.acknowledged - r.unanswered;
		if (refused > 0) found.push(`${r.what}, ${r.phase}: ${refused} not acknowledged: ${r.first_refusal}`);
		if (r.unanswered || r.broken) found.push(`${r.what}, ${r.phase}: ${r.unanswered} unanswered, ${r.broken} connections broken`);
		if (r.sent === 0) found.push(`${r.what}, ${r.phase}: nothing was sent`);
		if (r.missing) found.push(`${r.what}: ${r.missing} acknowledged orders did not reach the ERP`);
		if (r.phase === "whole" && !r.arrived) found.push(`${r.what}: nothing reached the ERP`);
	}
	for (const what of whats) {
		const runs = rows.filter((r) => r.what === what && r.statuses);
		const sum = (field) => runs.reduce((n, r) => n + r[field], 0);
		const { stored } = rows.find((r) => r.what === what && r.phase === "check");
		if (!(stored >= sum("acknowledged"))) found.push(`${what}: LOST: ${sum("acknowledged")} acknowledged, ${stored} stored`);
		if (!(stored <= sum("sent"))) found.push(`${what}: ${sum("sent")} sent, but ${stored} stored`);
	}
	const backlog = rows.find((r) => r.what === "backlog");
	if (backlog && (backlog.arrived < backlog.deliveries || backlog.out_of_order))
		found.push(`backlog: ${backlog.arrived} of ${backlog.deliveries} arrived, ${backlog.out_of_order} out of order`);
	const books = rows.find((r) => r.what === "reconcile");
	for (const run of books ? [books.alone, books.beside] : [])
		if (run.status !== "done" || run.compared !== books.items || run.differences !== books.wanted)
			found.push(`reconcile: ${run.status}, ${run.compared} of ${books.items} compared, ${run.differences} of ${books.wanted} differences`);
	for (const taken of books ? [books.orders_without, books.orders_during] : [])
		if (!taken.sent || taken.acknowledged !== taken.sent) found.push(`reconcile: ${taken.acknowledged} of ${taken.sent} orders acknowledged`);
	const ats = rows.find((r) => r.what === "ats");
	if (ats && !ats.sum) found.push("ats: nothing may be sold");
	return found;
}

// ---- tables ----

const names = {
	crossdock_sqlite: "Crossdock, SQLite",
	crossdock_postgresql: "Crossdock, PostgreSQL",
	node_1: "Node (fastify, pg), 1 process",
	node_2: "Node (fastify, pg), 2 workers",
	http: "ceiling: HTTP library, no store",
};
const whole = (n) => Math.round(n).toLocaleString("en-GB");
const ms = (us) => (us >= 99_950 ? (us / 1000).toFixed(0) : us >= 9_995 ? (us / 1000).toFixed(1) : (us / 1000).toFixed(2));
const times = (n) => (Number.isFinite(n) ? `${n < 9.95 ? n.toFixed(1) : n.toFixed(0)} x` : "-");

function table(head, body) {
	const all = [head, ...body];
	const width = head.map((_, i) => Math.max(...all.map((r) => String(r[i]).length)));
	const line = (r) => `| ${r.map((c, i) => (i ? String(c).padStart(width[i]) : String(c).padEnd(width[i]))).join(" | ")} |`;
	const rule = `|${width.map((w, i) => (i ? `${"-".repeat(w + 1)}:` : "-".repeat(w + 2))).join("|")}|`;
	return [line(head), rule, ...body.map(line)].join("\n");
}

function tables(rows) {
	const get = (what, phase) => rows.find((r) => r.what === what && r.phase === phase);
	const disk = get("disk", "ceiling"), http = get("http", "closed"), input = get("input", "bodies");
	const node = ["node_1", "node_2"].map((n) => get(n, "closed")).reduce((a, b) => (b.rate > a.rate ? b : a));
	const lower = Math.min(http.rate, disk.group_rows_per_s);
	const measured = Object.keys(names).filter((n) => get(n, "closed"));

	const closed = measured.map((n) => {
		const r = get(n, "closed");
		return [names[n], whole(r.rate), times(r.rate / node.rate), `${((100 * r.rate) / lower).toFixed(0)} %`, ms(r.p50_us),
			ms(r.p99_us), ms(r.p999_us), ms(r.max_us), whole(r.cpu_us_per_request), r.cpu_cores.toFixed(2),
			r.load_cores.toFixed(2), whole(r.memory_mb)];
	});
	closed.push(["ceiling: SQLite, 2 KB rows, groups of 64", whole(disk.group_rows_per_s), times(disk.group_rows_per_s / node.rate),
		`${((100 * disk.group_rows_per_s) / lower).toFixed(0)} %`, ...Array(8).fill("")]);
	const half = measured.filter((n) => get(n, "half")).map((n) => {
		const r = get(n, "half");
		return [names[n], whole(r.rate), ms(r.p50_us), ms(r.p99_us), ms(r.p999_us), ms(r.max_us), ms(r.stall_us),
			whole(r.cpu_us_per_request), whole(r.memory_mb)];
	});
	const way = rows.filter((r) => r.phase === "whole").map((r) => [
		whole(r.wanted_rate), whole(r.arrived), r.missing, ms(r.lag_p50_us), ms(r.lag_p99_us), ms(r.lag_p999_us), ms(r.lag_max_us),
		ms(r.p99_us), whole(r.cpu_us_per_request)]);
	const sqlite = get("crossdock_sqlite", "closed");
	const ours = get("crossdock", "delivery"), workers = ["worker_1", "worker_10"].map((n) => get(n, "delivery"));
	const sent = [["Crossdock, SQLite", ours], ["Node worker, one job a transaction", workers[0]], ["Node worker, ten jobs a transaction", workers[1]]]
		.map(([name, r]) => [name, whole(r.rate), times(r.rate / workers[0].rate), whole(r.cpu_us_per_delivery), times(workers[0].cpu_us_per_delivery / r.cpu_us_per_delivery), r.cores.toFixed(2)]);
	const b = get("backlog", "delivery"), d = get("destinations", "delivery");
	const waits = [[whole(b.deliveries), whole(b.start_ms), `${whole(b.memory_empty_mb)} / ${whole(b.memory_mb)}`, (100 * b.idle_cores).toFixed(1), whole(b.rate_before), whole(b.rate), whole(b.back_rate)]];
	const lags = [["alone", d.alone], ["beside 25 bad ones", d.beside]].map(([name, r]) => [name, whole(r.count), ms(r.lag_p50_us), ms(r.lag_p95_us), ms(r.lag_p99_us), r.cpu_cores.toFixed(2)]);

	const books = get("reconcile", "reconcile");
	const compared = books ? [["alone", books.alone, books.orders_without], ["while orders are taken", books.beside, books.orders_during]].map(([name, r, o]) => [
		name, r.seconds.toFixed(1), whole(r.rate), r.cores.toFixed(2), `${whole(r.memory_before_mb)} / ${whole(r.memory_peak_mb)}`, whole(o.rate), ms(o.p50_us), ms(o.p99_us)]) : [];

	const ats = get("ats", "ats");
	const numbers = ats ? [[whole(ats.positions), ats.load_s.toFixed(2), ats.view_s.toFixed(2), whole(ats.ledger_bytes), whole(ats.view_bytes), whole(ats.movement_ns), ats.recompute_s.toFixed(2)]] : [];

	const sqliteHalf = get("crossdock_sqlite", "half");
	const aim = (name, wanted, is, good) => [name, wanted, is, good ? "yes" : "no"];
	const aims = [
		aim("durable intake, to the better Node service", "5 x", times(sqlite.rate / node.rate), sqlite.rate >= 5 * node.rate),
		aim("durable intake, of the lower ceiling", "50 %", `${((100 * sqlite.rate) / lower).toFixed(0)} %`, sqlite.rate >= lower / 2),
		aim("p99 at half load", "10 ms", `${ms(sqliteHalf.p99_us)} ms`, sqliteHalf.p99_us < 10_000),
		aim("longest stall at half load", "50 ms", `${ms(sqliteHalf.stall_us)} ms`, sqliteHalf.stall_us < 50_000),
		aim("deliveries, to the Node worker (one job a transaction)", "5 x", times(ours.rate / workers[0].rate), ours.rate >= 5 * workers[0].rate),
	];

	return `Input: ${whole(input.orders)} real orders of ${whole(input.mean_bytes)} bytes on average, 64 connections. Disk: write + fdatasync of 2 KB
${whole(disk.fdatasync_per_s)}/s, p50 ${ms(disk.fdatasync_p50_us)} ms, p99 ${ms(disk.fdatasync_p99_us)} ms; SQLite's group commit p50 ${ms(disk.group_p50_us)} ms, p99 ${ms(disk.group_p99_us)} ms, max ${ms(disk.group_max_us)} ms.

Crossdock on SQLite (the better Node service uses ${times(node.cpu_us_per_request / sqlite.cpu_us_per_request)} its CPU an order):

${table(["", "aim", "is", "reached"], aims)}

As fast as it goes (closed loop; milliseconds):

${table(["", "orders/s", "to Node", "of lower ceiling", "p50", "p99", "p99.9", "max", "CPU us/order", "cores", "load's cores", "memory MB"], closed)}

At half of that rate (open loop, latency from when a request was due; milliseconds):

${table(["", "orders/s", "p50", "p99", "p99.9", "max", "longest stall", "CPU us/order", "memory MB"], half)}

The whole way, from when an order was due to the ERP's request (Crossdock, SQLite; milliseconds):

${table(["orders/s", "arrived", "missing", "lag p50", "lag p99", "lag p99.9", "lag max", "intake p99", "CPU us/order"], way)}

Deliveries that wait, sent to a local sink over kept connections:

${table(["", "deliveries/s", "to Node", "CPU us/delivery", "CPU of Node to it", "cores"], sent)}

Waiting for a destination that is away, while another one gets its own; then it is back, and all arrive in order:

${table(["waiting", "start ms", "memory MB, without / with", "CPU %, idle", "other's deliveries/s before", "during", "deliveries/s when it is back"], waits)}

25 healthy destinations, from the commit of a delivery to its good answer (milliseconds):

${table(["", "deliveries", "lag p50", "p95", "p99", "cores"], lags)}
${ats ? `
Available-to-sell: positions loaded from SQLite and shown to readers, one movement to the numbers of 20 channels, all items for 10 channels:

${table(["positions", "load s", "view s", "ledger bytes a position", "view bytes a position", "movement ns", "all items s"], numbers)}
` : ""}${books ? `
A reconciliation of ${whole(books.items)} items on hand, of which ${whole(books.wanted)} differ, read in pages of 1,000; orders before it and beside it (milliseconds):

${table(["", "seconds", "items/s", "cores", "memory MB, before / peak", "orders/s", "p50", "p99"], compared)}
` : ""}`;
}

function machine() {
	const cpus = os.cpus();
	return `${cpus.length} cores (${cpus[0].model.trim()}), ${whole(os.totalmem() / 2 ** 30)} GiB, Linux ${os.release()}, Node ${process.versions.node}`;
}

function report([input, output, ...flags]) {
	const rows = readFileSync(input, "utf8").trim().split("\n").map((line) => JSON.parse(line));
	const text = tables(rows);
	const found = problems(rows);
	const short = flags.includes("--short");
	writeFileSync(output, `${JSON.stringify({ at: new Date().toISOString(), machine: machine(), short, problems: found, rows }, null, "\t")}\n`);
	console.log(`${machine()}\n\n${text}`);
	if (short) console.log("A short run: it shows that nothing is lost, not how fast it is.");
	for (const p of found) console.error(`bench/run: ${p}`);
	if (flags.includes("--write")) {
		const file = new URL("RESULTS.md", import.meta.url);
		const section = `<!-- table -->\n${new Date().toISOString().slice(0, 10)}, ${machine()}${short ? ", a short run" : ""}.\n\n${text}<!-- /table -->`;
		writeFileSync(file, readFileSync(file, "utf8").replace(/<!-- table -->[^]*<!-- \/table -->/, () => section));
	}
	process.exitCode = found.length ? 1 : 0;
}

if (verb === "count") await count(...rest);
else if (verb === "report") report(rest);
else {
	console.error("usage: report.mjs count URL KEY | report NDJSON JSON [--short] [--write]");
	process.exitCode = 2;
}
