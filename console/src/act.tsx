/* What an operator does: buttons that ask the server to change something, and say what came of it. */
import { useRef, useState } from "preact/hooks";
import { ApiError, send } from "./api.ts";
import { Failure, useShell } from "./ui.tsx";

export interface Act {
	/* A button is then aria-disabled: it keeps the focus, and what it would do is not done twice. */
	busy: boolean;
	error?: Error;
	/* True when it was done. */
	run: (method: string, path: string, body?: unknown) => Promise<boolean>;
	/* The same with the answer; undefined when it failed. */
	tell: <T>(method: string, path: string, body?: unknown) => Promise<T | undefined>;
	fail: (error: Error) => void;
}

/* done: called when something was changed. One at a time: what is asked for while busy is not done. */
export function useAct(done: () => void): Act {
	const { api } = useShell();
	const [state, setState] = useState<{ busy: boolean; error?: Error }>({ busy: false });
	const under = useRef(false);
	const attempt = async <T,>(method: string, path: string, body?: unknown): Promise<{ answer: T | undefined } | undefined> => {
		if (under.current)
			return undefined;
		under.current = true;
		setState({ busy: true });
		try {
			const answer = await send<T>(api, method, path, body);
			setState({ busy: false });
			done();
			return { answer };
		} catch (e) {
			setState({ busy: false, error: e as Error });
			return undefined;
		} finally {
			under.current = false;
		}
	};
	return {
		...state,
		run: async (method, path, body) => (await attempt(method, path, body)) !== undefined,
		tell: async <T,>(method: string, path: string, body?: unknown) => (await attempt<T>(method, path, body))?.answer,
		fail: (error) => setState({ busy: false, error }),
	};
}

/* A failure, with what is wrong where. */
export function ActFailure(props: { act: Act }) {
	const { error } = props.act;
	if (!error)
		return null;
	const errors = error instanceof ApiError ? (error.problem.errors ?? []) : [];
	return (
		<>
			<Failure error={error} />
			{errors.length > 0 && (
				<ul class="findings" aria-label="What is wrong">
					{errors.map((e) => (
						<li key={e.pointer + e.code}>
							<code>{e.pointer || "/"}</code> {e.detail}
						</li>
					))}
				</ul>
			)}
		</>
	);
}
