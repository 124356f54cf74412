/* Server-Sent Events from chunks of text (WHATWG HTML, "Interpreting an event stream"). Pure. */

export interface Frame {
	id: string;
	event: string;
	data: string;
}

export interface Parser {
	/* Complete frames of what has come so far; the rest is kept. */
	feed(text: string): Frame[];
	/* What the server asked to wait before a reconnect, or undefined. */
	retryMs(): number | undefined;
}

export function parser(): Parser {
	let rest = "";
	let id = "";
	let event = "";
	let data: string[] = [];
	let retry: number | undefined;

	function line(text: string, out: Frame[]) {
		if (text === "") {
			if (data.length > 0)
				out.push({ id, event: event || "message", data: data.join("\n") });
			event = "";
			data = [];
			return;
		}
		const colon = text.indexOf(":");
		const field = colon < 0 ? text : text.slice(0, colon);
		const value = colon < 0 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
		if (field === "data")
			data.push(value);
		else if (field === "event")
			event = value;
		else if (field === "id" && !value.includes("\0"))
			id = value;
		else if (field === "retry" && /^\d+$/.test(value))
			retry = Number(value);
	}

	return {
		feed(text) {
			const out: Frame[] = [];
			rest += text;
			/* A CR at the end may be half of a CRLF. */
			const held = rest.endsWith("\r") ? "\r" : "";
			const lines = rest.slice(0, rest.length - held.length).split(/\r\n|\n|\r/);
			rest = lines.pop()! + held;
			for (const l of lines)
				line(l, out);
			return out;
		},
		retryMs: () => retry,
	};
}
