/* What asks the server to change something and needs its answer; and forms that open below a button. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Act } from "./act.tsx";
import { type Api, request } from "./api.ts";
import { useShell } from "./ui.tsx";

const TIMEOUT_MS = 15_000;

/* The JSON of the answer; undefined if it has none. */
export async function ask<T>(api: Api, method: string, path: string, body?: unknown): Promise<T | undefined> {
	const init: RequestInit = { method, signal: AbortSignal.timeout(TIMEOUT_MS) };
	if (body !== undefined) {
		init.headers = { "content-type": "application/json" };
		init.body = JSON.stringify(body);
	}
	const text = await (await request(api, path, init)).text();
	return text ? (JSON.parse(text) as T) : undefined;
}

export interface Ask extends Act {
	/* As run, with the answer; undefined when it failed. */
	tell: <T>(method: string, path: string, body?: unknown) => Promise<T | undefined>;
	fail: (error: Error) => void;
}

export function useAsk(done: () => void): Ask {
	const { api } = useShell();
	const [state, setState] = useState<{ busy: boolean; error?: Error }>({ busy: false });
	const attempt = async <T,>(method: string, path: string, body?: unknown): Promise<{ answer: T | undefined } | undefined> => {
		setState({ busy: true });
		try {
			const answer = await ask<T>(api, method, path, body);
			setState({ busy: false });
			done();
			return { answer };
		} catch (e) {
			setState({ busy: false, error: e as Error });
			return undefined;
		}
	};
	return {
		...state,
		run: async (method, path, body) => (await attempt(method, path, body)) !== undefined,
		tell: async <T,>(method: string, path: string, body?: unknown) => (await attempt<T>(method, path, body))?.answer,
		fail: (error) => setState({ busy: false, error }),
	};
}

/* A form that opens below its name, and closes when it says that it is done. */
export function Fold(props: { label: string; children: (close: () => void) => ComponentChildren }) {
	const ref = useRef<HTMLDetailsElement>(null);
	const close = () => {
		if (!ref.current?.open)
			return;
		ref.current.open = false;
		ref.current.querySelector("summary")?.focus();
	};
	return (
		<details
			class="fold"
			ref={ref}
			onKeyDown={(e) => {
				if (e.key === "Escape")
					close();
			}}
		>
			<summary>{props.label}</summary>
			{props.children(close)}
		</details>
	);
}

/* Something that is told once: it can be selected and copied. */
export function Once(props: { label: string; text: string; done: () => void }) {
	const [copied, setCopied] = useState(false);
	const field = useRef<HTMLInputElement>(null);
	const copy = async () => {
		field.current?.select();
		try {
			await navigator.clipboard.writeText(props.text);
			setCopied(true);
		} catch {
			/* it is selected: the reader's keys do the rest */
		}
	};
	return (
		<section class="once" role="status">
			<label>
				{props.label}
				<input ref={field} readOnly value={props.text} class="id" onFocus={(e) => e.currentTarget.select()} />
			</label>
			<button type="button" onClick={() => void copy()}>
				{copied ? "Copied" : "Copy"}
			</button>
			<button type="button" class="quiet" onClick={props.done}>
				I have it
			</button>
		</section>
	);
}
