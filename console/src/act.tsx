/* What an operator does: buttons that ask the server to change something, and say what came of it. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ApiError, send } from "./api.ts";
import { Failure, useShell } from "./ui.tsx";

export interface Act {
	busy: boolean;
	error?: Error;
	/* True when it was done. */
	run: (method: string, path: string, body?: unknown) => Promise<boolean>;
}

export function useAct(done: () => void): Act {
	const { api } = useShell();
	const [state, setState] = useState<{ busy: boolean; error?: Error }>({ busy: false });
	const run = async (method: string, path: string, body?: unknown) => {
		setState({ busy: true });
		try {
			await send(api, method, path, body);
			setState({ busy: false });
			done();
			return true;
		} catch (e) {
			setState({ busy: false, error: e as Error });
			return false;
		}
	};
	return { ...state, run };
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

/* A button that opens a form with one text. */
export function AskText(props: { label: string; question: string; busy: boolean; optional?: boolean; children?: ComponentChildren; onText: (text: string) => void }) {
	const [text, setText] = useState("");
	return (
		<details class="ask">
			<summary>{props.label}</summary>
			<form
				onSubmit={(e) => {
					e.preventDefault();
					props.onText(text);
				}}
			>
				<label>
					{props.question}
					<input value={text} maxLength={500} required={!props.optional} onInput={(e) => setText(e.currentTarget.value)} />
				</label>
				{props.children}
				<button type="submit" disabled={props.busy}>
					{props.label}
				</button>
			</form>
		</details>
	);
}
