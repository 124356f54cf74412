/* What the event stream has told: its tail, and how many orders reached each stage in each slot of time. Pure. */
import type { CloudEvent } from "./types.ts";

export const TAIL = 200;
export const SLOT_MS = 2000;
export const SLOTS = 150;
export const SLOTS_MIN = 30;

export const STAGES = ["captured", "reserved", "accepted", "released", "shipped"] as const;
export type Stage = (typeof STAGES)[number];
type Counts = Record<Stage, number>;

export interface Live {
	tail: readonly CloudEvent[]; /* newest first */
	slots: ReadonlyMap<number, Counts>;
	position: number;
	seen: number;
	/* By how much the server's clock is ahead of ours. */
	skewMs: number;
}

export const EMPTY: Live = { tail: [], slots: new Map(), position: 0, seen: 0, skewMs: 0 };

/* The first event of an order that reaches a stage is named after it; a backordered one has not reserved all. */
export function stageOf(type: string): Stage | undefined {
	return type.startsWith("order.") ? STAGES.find((s) => type.length === s.length + 6 && type.endsWith(s)) : undefined;
}

/* now: our clock when live events came in, undefined for events of before. Events that are known already are left out. */
export function add(live: Live, events: readonly CloudEvent[], now?: number): Live {
	const fresh = events.filter((e) => e.position > live.position);
	if (fresh.length === 0)
		return live;
	const slots = new Map(live.slots);
	for (const e of fresh) {
		const stage = stageOf(e.type);
		const at = Date.parse(e.time);
		if (!stage || Number.isNaN(at))
			continue;
		const slot = Math.floor(at / SLOT_MS);
		const was = slots.get(slot) ?? { captured: 0, reserved: 0, accepted: 0, released: 0, shipped: 0 };
		slots.set(slot, { ...was, [stage]: was[stage] + 1 });
	}
	const newest = fresh[fresh.length - 1]!;
	const first = Math.floor(Date.parse(newest.time) / SLOT_MS) - 2 * SLOTS;
	for (const slot of slots.keys())
		if (slot < first)
			slots.delete(slot);
	const skew = now === undefined ? live.skewMs : Date.parse(newest.time) - now;
	return {
		tail: [...fresh.slice(-TAIL).reverse(), ...live.tail].slice(0, TAIL),
		slots,
		position: newest.position,
		seen: live.seen + fresh.length,
		skewMs: Math.abs(skew) > 5000 ? skew : 0,
	};
}

export interface Series {
	times: number[]; /* seconds, one a slot, oldest first */
	values: Record<Stage, number[]>; /* per second */
}

/* The window that ends with the last whole slot before `now` (the server's clock). It begins with the first slot that has
 * something, but has at least SLOTS_MIN and at most SLOTS slots. */
export function series(live: Live, now: number): Series {
	const last = Math.floor(now / SLOT_MS) - 1;
	const begun = Math.min(last, ...live.slots.keys());
	const first = Math.max(last - SLOTS + 1, Math.min(last - SLOTS_MIN + 1, begun));
	const out: Series = { times: [], values: { captured: [], reserved: [], accepted: [], released: [], shipped: [] } };
	for (let slot = first; slot <= last; slot++) {
		const counts = live.slots.get(slot);
		out.times.push((slot * SLOT_MS) / 1000);
		for (const s of STAGES)
			out.values[s].push(((counts?.[s] ?? 0) * 1000) / SLOT_MS);
	}
	return out;
}

/* Mean over the newest `slots` of the window. */
export function recent(values: readonly number[], slots = 5): number {
	const part = values.slice(-slots);
	return part.length ? part.reduce((a, b) => a + b, 0) / part.length : 0;
}
