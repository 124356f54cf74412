/*
 * Follows the event stream. EventSource cannot send an Authorization header, so this is fetch with a parser of its own: it
 * resumes with Last-Event-ID after a lost connection, waiting longer each time (up to MAX_WAIT_MS), and gives up only when it
 * is stopped or the key is refused. Events are handed on in groups, at most one group in GROUP_MS, so that a busy log does not
 * draw the page for each of them.
 */
import { type Api, ApiError, get, query, request } from "./api.ts";
import { parser } from "./sse.ts";
import type { CloudEvent, Page } from "./types.ts";

const GROUP_MS = 250;
const MAX_WAIT_MS = 15_000;
const SILENCE_MS = 40_000; /* the server sends a comment every 15 s */
const BACKLOG = 1000;

export type StreamState = "connecting" | "live" | "lost";

export interface Follower {
	events: (events: CloudEvent[], live: boolean) => void;
	state: (state: StreamState) => void;
}

async function readStream(api: Api, after: number, signal: AbortSignal, on: Follower, take: (e: CloudEvent[]) => void) {
	const p = parser();
	const quiet = new AbortController();
	let timer = setTimeout(() => quiet.abort(), SILENCE_MS);
	try {
		const response = await request(api, "/v1/events/stream", {
			headers: { accept: "text/event-stream", "last-event-id": String(after) },
			signal: AbortSignal.any([signal, quiet.signal]),
		});
		const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
		on.state("live");
		for (;;) {
			const { done, value } = await reader.read();
			if (done)
				return;
			clearTimeout(timer);
			timer = setTimeout(() => quiet.abort(), SILENCE_MS);
			take(p.feed(value).map((f) => JSON.parse(f.data) as CloudEvent));
		}
	} finally {
		clearTimeout(timer);
	}
}

/* Begins with what the log had last before `position`, then follows. Returns a function that ends it. */
export function follow(api: Api, position: number, on: Follower): () => void {
	const stop = new AbortController();
	let after = Math.max(0, position - BACKLOG);
	let group: CloudEvent[] = [];
	let timer: ReturnType<typeof setTimeout> | undefined;

	const flush = () => {
		timer = undefined;
		const events = group;
		group = [];
		if (!stop.signal.aborted)
			on.events(events, true);
	};
	const take = (events: CloudEvent[]) => {
		const last = events.at(-1);
		if (!last)
			return;
		after = last.position;
		group.push(...events);
		timer ??= setTimeout(flush, GROUP_MS);
	};
	const pause = (ms: number) =>
		new Promise<void>((resolve) => {
			const t = setTimeout(resolve, ms);
			stop.signal.addEventListener("abort", () => (clearTimeout(t), resolve()), { once: true });
		});

	const run = async () => {
		let wait = 500;
		let seeded = false;
		on.state("connecting");
		while (!stop.signal.aborted) {
			const before = after;
			try {
				if (!seeded) {
					const page = await get<Page<CloudEvent>>(api, query("/v1/events", { after, limit: BACKLOG }), stop.signal);
					on.events(page.items, false);
					after = page.items.at(-1)?.position ?? after;
					seeded = true;
				}
				await readStream(api, after, stop.signal, on, take);
			} catch (e) {
				if (stop.signal.aborted || (e instanceof ApiError && e.status === 401))
					return;
			}
			on.state("lost");
			wait = after > before ? 500 : Math.min(MAX_WAIT_MS, wait * 2);
			await pause(wait);
		}
	};
	void run();
	return () => {
		clearTimeout(timer);
		stop.abort();
	};
}
