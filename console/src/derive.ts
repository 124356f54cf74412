/* What the first page shows, made from what the API says. Pure. */
import type { CloudEvent, DeliveryCount, Overview, System } from "./types.ts";

export interface Step {
	key: string;
	title: string;
	reached: number; /* orders that have come at least this far */
	here: number; /* and are there now */
}

const path: [string, string, string[]][] = [
	["captured", "Orders in", []],
	["reserved", "Reserved", ["reserved"]],
	["accepted", "Accepted", ["accepted"]],
	["released", "Released", ["released", "partially_shipped"]],
	["shipped", "Shipped", ["shipped", "invoiced", "closed"]],
];

/* From a count of orders by status, how many have reached each stage. Who was cancelled, or waits, counts as captured only. */
export function funnel(o: Overview): Step[] {
	const of = (names: string[]) => names.reduce((sum, name) => sum + (o.orders[name] ?? 0), 0);
	return path.map(([key, title, here], i) => ({
		key,
		title,
		reached: i === 0 ? o.orders_total : of(path.slice(i).flatMap((p) => p[2])),
		here: i === 0 ? of(["captured"]) : of(here),
	}));
}

/* The statuses beside the straight way, those that occur. */
export function aside(o: Overview): [string, number][] {
	return ["on_hold", "backordered", "partially_shipped", "cancelled", "rejected"]
		.map((name): [string, number] => [name, o.orders[name] ?? 0])
		.filter(([, n]) => n > 0);
}


/* More left than there was. */
export function oversold(o: Overview): number {
	return o.exceptions["stock_negative"] ?? 0;
}

/* Numbers that channels have taken over; since the server started. */
export function published(o: Overview): number {
	return Object.values(o.lag).reduce((sum, l) => sum + (l.availability?.count ?? 0), 0);
}

export interface Outcomes {
	delivered: number;
	superseded: number;
	cancelled: number;
	dead: number;
	open: number;
}

/* How the deliveries to a system have ended. */
export function outcomes(rows: readonly DeliveryCount[], system: string): Outcomes {
	const out: Outcomes = { delivered: 0, superseded: 0, cancelled: 0, dead: 0, open: 0 };
	for (const row of rows) {
		if (row.system !== system)
			continue;
		if (row.status === "delivered" || row.status === "superseded" || row.status === "cancelled")
			out[row.status] += row.count;
		else if (row.status === "dead_letter")
			out.dead += row.count;
		else
			out.open += row.count;
	}
	return out;
}

export type Tone = "good" | "busy" | "late" | "bad" | "paused";

export function health(s: System): { tone: Tone; words: string } {
	if (s.paused)
		return { tone: "paused", words: "Paused" };
	if (s.state === "maintenance")
		return { tone: "paused", words: "In maintenance" };
	if (s.state === "stopped")
		return { tone: "bad", words: "Refuses our key" };
	if (s.health === "failing")
		return { tone: "bad", words: s.breaker === "half_open" ? "Trying again" : "Failing" };
	if (s.health === "late")
		return { tone: "late", words: "Behind" };
	return s.backlog > 0 ? { tone: "busy", words: "Delivering" } : { tone: "good", words: "Up to date" };
}

/* Attempts that did not end well, by outcome, those that occur. */
export function failures(s: System): [string, number][] {
	return Object.entries(s.outcomes ?? {}).filter(([name, n]) => name !== "delivered" && n > 0);
}

export interface Reading {
	at: number;
	systems: readonly System[];
}

export const RATE_MS = 10_000;

/* Readings of the last RATE_MS, and the newest of before. */
export function remember(readings: readonly Reading[], next: Reading): readonly Reading[] {
	const first = readings.findLastIndex((r) => next.at - r.at >= RATE_MS);
	return [...readings.slice(Math.max(0, first)), next];
}

/* Good and other attempts a second; undefined as long as there is one reading only. A server that was started again counts from 0. */
export function attemptRates(readings: readonly Reading[], system: string): { good: number; other: number } | undefined {
	const counts = (r: Reading | undefined) => {
		const all = Object.entries(r?.systems.find((s) => s.id === system)?.outcomes ?? {});
		const good = all.find(([name]) => name === "delivered")?.[1] ?? 0;
		return { good, other: all.reduce((sum, [, n]) => sum + n, -good) };
	};
	const [from, to] = [readings[0], readings.at(-1)];
	const seconds = from && to ? (to.at - from.at) / 1000 : 0;
	if (seconds <= 0)
		return undefined;
	const [a, b] = [counts(from), counts(to)];
	return { good: Math.max(0, b.good - a.good) / seconds, other: Math.max(0, b.other - a.other) / seconds };
}

/* An event in a line: of which channel, which order, which items. */
export function about(e: CloudEvent): string {
	const text = (from: Record<string, unknown>, name: string) => (typeof from[name] === "string" ? (from[name] as string) : "");
	const list = e.data["items"] ?? e.data["lines"];
	const rows = Array.isArray(list) ? (list as Record<string, unknown>[]) : [];
	const shown = rows.slice(0, 4).map((r) => `${text(r, "sku")} ${text(r, "available") || text(r, "quantity")}`.trim());
	if (rows.length > shown.length)
		shown.push(`and ${rows.length - shown.length} more`);
	const parts = [text(e.data, "channel"), text(e.data, "external_id") || text(e.data, "type"), text(e.data, "reason") || text(e.data, "detail"), shown.join(", ")];
	return parts.filter((p) => p !== "").join(" · ") || e.subject;
}
