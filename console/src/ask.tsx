/* Forms that open below a button, and what is told once. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";

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
				<button type="submit" aria-disabled={props.busy}>
					{props.label}
				</button>
			</form>
		</details>
	);
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
