/* What the first page shows, made from what the API says. Pure. */
import type { DeliveryCount, Overview, System } from "./types.ts";

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
	unknown: number; /* of open: sent, and not known whether it arrived */
}

export function outcomes(rows: readonly DeliveryCount[], system: string): Outcomes {
	const out: Outcomes = { delivered: 0, superseded: 0, cancelled: 0, dead: 0, open: 0, unknown: 0 };
	for (const row of rows) {
		if (row.system !== system)
			continue;
		if (row.status === "delivered" || row.status === "superseded" || row.status === "cancelled")
			out[row.status] += row.count;
		else if (row.status === "dead_letter")
			out.dead += row.count;
		else
			out.open += row.count;
		if (row.status === "unknown")
			out.unknown += row.count;
	}
	return out;
}

export type Health = "good" | "busy" | "late" | "bad" | "paused";

export const LATE_MS = 30_000;

/* now: the server's clock. */
export function health(s: System, o: Outcomes, now: number): { health: Health; words: string } {
	if (s.paused)
		return { health: "paused", words: "Paused" };
	const oldest = s.oldest_at ? now - Date.parse(s.oldest_at) : 0;
	if (o.dead > 0)
		return { health: "bad", words: "Dead letters" };
	if (s.backlog > 0 && oldest > LATE_MS)
		return { health: "late", words: "Behind" };
	return s.backlog > 0 ? { health: "busy", words: "Delivering" } : { health: "good", words: "Up to date" };
}
