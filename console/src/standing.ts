/* How subscriptions and reconciliations stand, in words. Pure. */
import { count, plural } from "./format.ts";
import type { Reconciliation, Subscription } from "./types.ts";

export interface Standing {
	tone: "good" | "warn" | "bad" | "info";
	text: string;
}

export function standing(s: Subscription): Standing {
	if (!s.enabled)
		return { tone: "warn", text: "Disabled" };
	if (s.failing_since)
		return { tone: "bad", text: "Failing" };
	if (s.replay)
		return { tone: "info", text: "Replaying" };
	return s.backlog ? { tone: "info", text: "Delivering" } : { tone: "good", text: "Up to date" };
}

/* "order.*, shipment.created" as it may be typed. */
export function typesOf(text: string): string[] {
	return [...new Set(text.split(/[\s,]+/).filter((t) => t !== ""))];
}

const states: Record<string, string> = {
	reading: "reading the balances",
	settling: "waiting for messages that are under way",
	reading_again: "reading the balances again",
	looking_back: "looking at what was booked meanwhile",
	judging: "judging what differs",
	writing: "writing down what differs",
	ending: "ending",
};

export const classes: Record<string, string> = {
	late: "Its message came in meanwhile",
	double: "We booked it twice",
	master_data: "Item, location or unit is not known to both",
	lost: "A movement is missing on one side",
};

export const actions: Record<string, string> = {
	reported: "Written down",
	tolerated: "Within the tolerance",
	raised: "Raised as an exception",
	corrected: "Corrected",
};

export const reactions: Record<string, string> = {
	report: "are written down",
	raise: "are raised as exceptions",
	correct: "are corrected",
};

export function runStanding(r: Reconciliation): Standing {
	if (r.status === "running")
		return { tone: "info", text: "Running" };
	if (r.status === "cancelled")
		return { tone: "warn", text: "Cancelled" };
	if (r.status !== "done")
		return { tone: "bad", text: "Failed" };
	return differences(r) ? { tone: "warn", text: "Differences" } : { tone: "good", text: "Agrees" };
}

export function differences(r: Reconciliation): number {
	return Object.values(r.summary?.differences ?? {}).reduce((sum, n) => sum + n, 0);
}

/* Where it is, or what it came to: one sentence. */
export function outcome(r: Reconciliation): string {
	if (r.status === "running") {
		const p = r.progress;
		if (!p)
			return "about to begin";
		const compared = p.compared ? `; ${count(p.compared)} compared, ${plural(p.differences, "difference")}` : "";
		return (states[p.state] ?? p.state) + compared;
	}
	if (r.status !== "done")
		return r.summary?.reason ?? (r.status === "cancelled" ? "a person has stopped it" : "no reason is known");
	const n = differences(r);
	return `${count(r.summary?.compared ?? 0)} compared, ${n ? plural(n, "difference") : "no differences"}`;
}

/* theirs - ours, of decimal texts; never through a number. */
export function minus(theirs: string, ours: string): string {
	const places = (t: string) => (t.split(".")[1] ?? "").length;
	const n = Math.max(places(theirs), places(ours));
	const scaled = (t: string) => BigInt(t.replace(".", "") + "0".repeat(n - places(t)));
	const d = scaled(theirs) - scaled(ours);
	const digits = (d < 0n ? -d : d).toString().padStart(n + 1, "0");
	const whole = digits.slice(0, digits.length - n);
	const rest = digits.slice(digits.length - n).replace(/0+$/, "");
	const sign = d < 0n ? "−" : d > 0n ? "+" : "";
	return sign + whole + (rest ? `.${rest}` : "");
}
