// report.mjs count URL KEY            the orders that a hub holds, as {"stored": N}
// report.mjs report PART NDJSON JSON [--short] [--write]
//     checks that nothing was lost or refused, prints the part's tables, writes JSON; --write puts them into the part's section of
//     RESULTS.md, and the aims of all sections into its first one. Of several rounds each number is the median.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { ms, parts, table, whole } from "./report_parts.mjs";

const [verb, ...rest] = process.argv.slice(2);

async function count(url, key) {
	const answer = await fetch(`${url}/v1/overview`, { headers: { authorization: `Bearer ${key}` } });
	const overview = await answer.json();
	if (!answer.ok) throw new Error(JSON.stringify(overview));
	console.log(JSON.stringify({ stored: overview.orders_total }).replace(":", ": "));
}

/* Of rows that are alike: numbers become their median, all else is the first's. */
function median(rows) {
	const first = rows[0];
	if (rows.length < 2 || typeof first === "string" || first === null) return first;
	if (typeof first === "number") {
		const sorted = rows.filter(Number.isFinite).sort((a, b) => a - b);
		return sorted[Math.floor(sorted.length / 2)];
	}
	if (typeof first !== "object" || Array.isArray(first)) return first;
	return Object.fromEntries(Object.keys(first).map((k) => [k, median(rows.map((r) => r[k]))]));
}

/* What every load must show, whatever it measured: all is acknowledged, and what is stored is what was acknowledged. */
function lost(rows) {
	const found = [];
	for (const r of rows.filter((r) => r.statuses)) {
		const refused = r.sent - r.acknowledged - r.unanswered;
		if (refused > 0) found.push(`${r.what}, ${r.phase}: ${refused} not acknowledged: ${r.first_refusal}`);
		if (r.unanswered || r.broken) found.push(`${r.what}, ${r.phase}: ${r.unanswered} unanswered, ${r.broken} connections broken`);
		if (r.sent === 0) found.push(`${r.what}, ${r.phase}: nothing was sent`);
	}
	for (const check of rows.filter((r) => r.phase === "check")) {
		const runs = rows.filter((r) => r.what === check.what && r.round === check.round && r.statuses);
		const sum = (field) => runs.reduce((n, r) => n + r[field], 0);
		if (!(check.stored >= sum("acknowledged"))) found.push(`${check.what}: LOST: ${sum("acknowledged")} acknowledged, ${check.stored} stored`);
		if (!(check.stored <= sum("sent"))) found.push(`${check.what}: ${sum("sent")} sent, but ${check.stored} stored`);
	}
	return found;
}

function machine() {
	const cpus = os.cpus();
	return `${cpus.length} cores (${cpus[0].model.trim()}), ${whole(os.totalmem() / 2 ** 30)} GiB, Linux ${os.release()}, Node ${process.versions.node}`;
}
function commit() {
	try {
		const git = (...args) => execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
		return `commit ${git("rev-parse", "--short=10", "HEAD")}${git("status", "--porcelain", "--", "src", "bench", "connectors", ":!bench/RESULTS.md") && " with changes"}`;
	} catch {
		return "no commit";
	}
}

const aim_head = ["", "aim", "is", ""];
const section_of = (text, part) => new RegExp(`<!-- ${part} -->([^]*?)<!-- /${part} -->`).exec(text)?.[1] ?? "";

/* The aims of all sections, as they stand there. */
function all_aims(text) {
	const rows = [];
	for (const [name, { title }] of Object.entries(parts))
		for (const line of section_of(text, name).split("\n")) {
			const cells = line.split("|").slice(1, -1).map((c) => c.trim());
			if (cells.length === 4 && ["met", "missed"].includes(cells[3])) rows.push([`${title}: ${cells[0]}`, ...cells.slice(1)]);
		}
	const seconds = Object.keys(parts).reduce((n, name) => n + Number(/ took ([\d,]+) s on /.exec(section_of(text, name))?.[1].replaceAll(",", "") ?? 0), 0);
	return rows.length ? `${table(aim_head, rows)}\n\nThe parts below took ${Math.ceil(seconds / 60)} minutes together.` : "";
}

function replace(text, part, section) {
	if (!text.includes(`<!-- ${part} -->`)) text += `\n<!-- ${part} --><!-- /${part} -->\n`;
	return text.replace(new RegExp(`<!-- ${part} -->[^]*?<!-- /${part} -->`), () => `<!-- ${part} -->\n${section.trim()}\n<!-- /${part} -->`);
}

function write(part, section) {
	const file = new URL("RESULTS.md", import.meta.url);
	const text = replace(readFileSync(file, "utf8"), part, section);
	writeFileSync(file, replace(text, "aims", all_aims(text)));
}

function report([part, input, output, ...flags]) {
	const rows = readFileSync(input, "utf8").trim().split("\n").map((line) => JSON.parse(line));
	const get = (what, phase) => median(rows.filter((r) => r.what === what && r.phase === phase)) ?? null;
	const { title, text, aims, problems } = parts[part];
	const found = [...lost(rows), ...problems({ rows, get })];
	const short = flags.includes("--short"), disk = get("disk", "ceiling"), idle = get("machine", "idle"), took = get("machine", "took");
	const bests = aims({ rows, get }).map(([name, wanted, is, met]) => [name, wanted, is, met ? "met" : "missed"]);
	const head = `\`bench/run --write ${part}\`${short ? ", the short form," : ""} took ${whole(took.seconds)} s on ${new Date().toISOString().slice(0, 10)}: ${commit()}; ${machine()}.
Before it the machine was ${(100 * idle.idle).toFixed(0)} % idle. Disk: write + fdatasync of 2 KB ${whole(disk.fdatasync_per_s)}/s, p50 ${ms(disk.fdatasync_p50_us)} ms, p99 ${ms(disk.fdatasync_p99_us)} ms, longest ${ms(disk.fdatasync_max_us)} ms.`;
	const section = `## ${title}\n\n${head}\n\n${bests.length ? `${table(aim_head, bests)}\n\n` : ""}${text({ rows, get }).trim()}\n`;
	writeFileSync(output, `${JSON.stringify({ at: new Date().toISOString(), machine: machine(), commit: commit(), short, problems: found, rows }, null, "\t")}\n`);
	console.log(section);
	if (short) console.log("A short run: it shows that nothing is lost, not how fast it is.\n");
	for (const p of found) console.error(`bench/run ${part}: ${p}`);
	process.exitCode = found.length ? 1 : 0;
	if (flags.includes("--write") && !found.length) write(part, section);
}

if (verb === "count") await count(...rest);
else if (verb === "report" && parts[rest[0]]) report(rest);
else {
	console.error("usage: report.mjs count URL KEY | report PART NDJSON JSON [--short] [--write]");
	process.exitCode = 2;
}
