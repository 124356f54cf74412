/* A dead letter's payload, edited beside the original. */
import { useState } from "preact/hooks";
import { type Act, ActFailure } from "./act.tsx";
import { pretty } from "./format.ts";
import type { Change, DeadLetter } from "./types.ts";
import { Table } from "./ui.tsx";

export function Changes(props: { changes: Change[] }) {
	if (props.changes.length === 0)
		return <p class="dim">The edited payload says the same as the original.</p>;
	return (
		<Table caption="What was changed" columns={["Where", "Change", "From", "To"]}>
			{props.changes.map((c) => (
				<tr key={c.pointer}>
					<td>
						<code>{c.pointer || "the whole"}</code>
					</td>
					<td>{c.op}</td>
					<td>{c.from !== undefined && <code>{JSON.stringify(c.from)}</code>}</td>
					<td>{c.to !== undefined && <code>{JSON.stringify(c.to)}</code>}</td>
				</tr>
			))}
		</Table>
	);
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text) as unknown;
	} catch {
		return undefined;
	}
}

export function Mend(props: { letter: DeadLetter; original: string; act: Act }) {
	const { letter, original, act } = props;
	const [text, setText] = useState(pretty(letter.edit?.payload ?? original));
	const isDelivery = letter.kind === "delivery";
	const json = parsed(text);
	const wrong = (isDelivery || parsed(original) !== undefined) && json === undefined;
	return (
		<section aria-labelledby="payload">
			<h2 id="payload">{isDelivery ? "What was to be sent" : "What came in"}</h2>
			<form
				class="mend"
				onSubmit={(e) => {
					e.preventDefault();
					void act.run("PATCH", `/v1/dead-letters/${encodeURIComponent(letter.id)}`, { payload: json !== undefined && typeof json === "object" ? json : text });
				}}
			>
				<div>
					<h3>Original</h3>
					<pre tabIndex={0}>{pretty(original)}</pre>
				</div>
				<div>
					<h3>
						<label for="edited">Edited</label>
					</h3>
					<textarea
						id="edited"
						spellcheck={false}
						aria-invalid={wrong}
						rows={Math.min(40, pretty(original).split("\n").length + 2)}
						value={text}
						onInput={(e) => setText(e.currentTarget.value)}
					/>
				</div>
				<div class="acts">
					<button type="submit" aria-disabled={act.busy} disabled={wrong || text === pretty(letter.edit?.payload ?? original)}>
						Check and keep
					</button>
					{wrong && <span role="status">This is not JSON.</span>}
				</div>
			</form>
			<ActFailure act={act} />
		</section>
	);
}
