/* Asks the API with the signed-in key. */
import type { Problem } from "./types.ts";

const TIMEOUT_MS = 15_000;

export class ApiError extends Error {
	readonly status: number;
	readonly problem: Problem;

	constructor(status: number, problem: Problem) {
		super(problem.detail ?? problem.title ?? `HTTP ${status}`);
		this.status = status;
		this.problem = problem;
	}
}

/* The server was not reached, or did not answer in time. */
export class OfflineError extends Error {}

export interface Api {
	key: string;
	/* Called when the key is not (or no longer) accepted. */
	refused: (why: string) => void;
}

async function problem(response: Response): Promise<Problem> {
	try {
		return (await response.json()) as Problem;
	} catch {
		return {};
	}
}

/* The answer if it is good, else it throws. */
export async function request(api: Api, path: string, init: RequestInit = {}): Promise<Response> {
	let response: Response;
	try {
		response = await fetch(path, {
			cache: "no-store",
			...init,
			headers: { ...(init.headers as Record<string, string> | undefined), authorization: `Bearer ${api.key}` },
		});
	} catch (e) {
		if (init.signal?.aborted && init.signal.reason instanceof DOMException && init.signal.reason.name === "AbortError")
			throw e;
		throw new OfflineError("Crossdock does not answer.");
	}
	if (response.ok)
		return response;
	const p = await problem(response);
	if (response.status === 401)
		api.refused(p.detail ?? "The key is not accepted.");
	throw new ApiError(response.status, p);
}

export async function get<T>(api: Api, path: string, signal?: AbortSignal): Promise<T> {
	const timeout = AbortSignal.timeout(TIMEOUT_MS);
	const response = await request(api, path, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
	return (await response.json()) as T;
}

/* Asks for a change. The JSON of the answer; undefined if it has none. */
export async function send<T>(api: Api, method: string, path: string, body?: unknown): Promise<T | undefined> {
	const init: RequestInit = { method, signal: AbortSignal.timeout(TIMEOUT_MS) };
	if (body !== undefined) {
		init.headers = { "content-type": "application/json" };
		init.body = JSON.stringify(body);
	}
	const text = await (await request(api, path, init)).text();
	return text ? (JSON.parse(text) as T) : undefined;
}

/* "/v1/orders?status=shipped"; empty values are left out. */
export function query(path: string, values: Record<string, string | number | undefined>): string {
	const q = new URLSearchParams();
	for (const [name, value] of Object.entries(values))
		if (value !== undefined && value !== "")
			q.set(name, String(value));
	const text = q.toString();
	return text ? `${path}?${text}` : path;
}
