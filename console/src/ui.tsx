/* The parts that all pages are made of. */
import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { type Api, ApiError, get, OfflineError, query } from "./api.ts";
import { words } from "./format.ts";

export interface Shell {
	api: Api;
	navigate: (href: string) => void;
	/* The server's clock, as far as it is known. */
	now: () => number;
}

export const ShellContext = createContext<Shell | undefined>(undefined);

export function useShell(): Shell {
	const shell = useContext(ShellContext);
	if (!shell)
		throw new Error("outside the shell");
	return shell;
}

export function Link(props: { href: string; children: ComponentChildren; class?: string; current?: boolean }) {
	const { navigate } = useShell();
	return (
		<a
			href={props.href}
			class={props.class}
			aria-current={props.current ? "page" : undefined}
			onClick={(e) => {
				if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey)
					return;
				e.preventDefault();
				navigate(props.href);
			}}
		>
			{props.children}
		</a>
	);
}

export interface Loaded<T> {
	data?: T;
	error?: Error;
	/* Asks again at once. */
	again: () => void;
}

/* What a path answers, asked again every `everyMs` (0: once) while the page is visible. A failure keeps what was there. */
export function useGet<T>(path: string, everyMs = 0): Loaded<T> {
	const { api } = useShell();
	const [state, setState] = useState<{ path: string; data?: T; error?: Error }>({ path });
	const [turn, setTurn] = useState(0);

	useEffect(() => {
		const stop = new AbortController();
		let timer: ReturnType<typeof setTimeout> | undefined;
		let failures = 0;
		const ask = async () => {
			try {
				const data = await get<T>(api, path, stop.signal);
				failures = 0;
				if (!stop.signal.aborted)
					setState({ path, data });
			} catch (e) {
				if (stop.signal.aborted)
					return;
				failures++;
				const error = e instanceof Error ? e : new Error(String(e));
				setState((was) => (was.path === path && was.data !== undefined ? { path, data: was.data, error } : { path, error }));
			}
			const again = everyMs || (failures ? 2000 : 0);
			if (again && !stop.signal.aborted)
				timer = setTimeout(next, Math.min(15_000, again * (failures + 1)));
		};
		const next = () => (document.hidden ? document.addEventListener("visibilitychange", next, { once: true }) : void ask());
		void ask();
		return () => {
			stop.abort();
			clearTimeout(timer);
			document.removeEventListener("visibilitychange", next);
		};
	}, [api, path, everyMs, turn]);
	const mine = state.path === path ? state : { path };
	return { ...mine, again: () => setTurn(turn + 1) };
}

export function Failure(props: { error: Error; again?: () => void }) {
	const { error } = props;
	const missing = error instanceof ApiError && error.status === 404;
	const offline = error instanceof OfflineError;
	const id = error instanceof ApiError ? error.problem.correlation_id : undefined;
	return (
		<div class={missing ? "notice" : "notice bad"} role={missing ? "status" : "alert"}>
			<strong>{missing ? "Not found." : offline ? "Crossdock does not answer." : "That did not work."}</strong>{" "}
			{offline ? "Trying again." : error.message}
			{!missing && id && <div class="dim">Correlation id {id}</div>}
			{props.again && !offline && (
				<button type="button" class="quiet" onClick={props.again}>
					Try again
				</button>
			)}
		</div>
	);
}

export function Loading() {
	return (
		<div class="loading" role="status">
			Loading…
		</div>
	);
}

export function Empty(props: { children: ComponentChildren }) {
	return <div class="empty">{props.children}</div>;
}

const tones: Record<string, string> = {
	captured: "info", reserved: "info", accepted: "info", released: "info", sending: "info", waiting: "info", pending: "info",
	shipped: "good", invoiced: "good", closed: "good", delivered: "good", applied: "good", resolved: "good", partially_shipped: "good",
	in_stock: "good", picked: "info", in_transit: "info", quarantined: "warn", returned: "warn",
	on_hold: "warn", backordered: "warn", unknown: "warn", throttled: "warn", not_owned: "warn", open: "warn",
	rejected: "bad", dead_letter: "bad", technical: "bad", unauthorized: "bad", configuration: "bad", refused: "bad",
};

export function Status(props: { of: string }) {
	return <span class={`status ${tones[props.of] ?? "plain"}`}>{words(props.of)}</span>;
}

/* The first page begins at the top of the document, with the link that skips the menu. */
let changed = false;

/* A page's title is told to a screen reader when the page changes. */
export function Heading(props: { children: ComponentChildren; title: string; lead?: ComponentChildren }) {
	const ref = useRef<HTMLHeadingElement>(null);
	useEffect(() => {
		document.title = `${props.title} · Crossdock`;
		if (changed)
			ref.current?.focus({ preventScroll: true });
		changed = true;
	}, [props.title]);
	return (
		<header class="heading">
			<h1 ref={ref} tabIndex={-1}>
				{props.children}
			</h1>
			{props.lead && <div class="lead">{props.lead}</div>}
		</header>
	);
}

interface Answer<T> {
	[field: string]: T[] | unknown;
	next_cursor: string | null;
}

/* A list of the API, a page at a time; field: where a page has it, if not in items. */
export function List<T>(props: {
	path: string;
	field?: string;
	values: Record<string, string | undefined>;
	caption: string;
	columns: string[];
	row: (item: T) => ComponentChildren;
	keyOf: (item: T) => string;
	empty: ComponentChildren;
}) {
	const { api } = useShell();
	const first = query(props.path, { ...props.values, limit: 50 });
	const { data, error, again } = useGet<Answer<T>>(first, 5000);
	const itemsOf = (page: Answer<T>) => page[props.field ?? "items"] as T[];
	const [more, setMore] = useState<{ of: string; items: T[]; cursor: string | null; error?: Error }>();
	const extra = more?.of === first ? more : undefined;
	if (!data)
		return error ? <Failure error={error} again={again} /> : <Loading />;
	const newest = itemsOf(data);
	const known = new Set(newest.map(props.keyOf));
	const items = [...newest, ...(extra?.items.filter((i) => !known.has(props.keyOf(i))) ?? [])];
	const cursor = extra ? extra.cursor : data.next_cursor;
	const load = async () => {
		try {
			const page = await get<Answer<T>>(api, query(props.path, { ...props.values, limit: 50, cursor: cursor ?? "" }));
			setMore({ of: first, items: [...(extra?.items ?? []), ...itemsOf(page)], cursor: page.next_cursor });
		} catch (e) {
			setMore({ of: first, items: extra?.items ?? [], cursor, error: e as Error });
		}
	};
	return (
		<>
			{error && <Failure error={error} />}
			{items.length === 0 ? (
				<Empty>{props.empty}</Empty>
			) : (
				<Table caption={props.caption} columns={props.columns}>
					{items.map((i) => (
						<tr key={props.keyOf(i)}>{props.row(i)}</tr>
					))}
				</Table>
			)}
			{extra?.error && <Failure error={extra.error} />}
			{cursor && (
				<button type="button" class="quiet" onClick={() => void load()}>
					Show more
				</button>
			)}
		</>
	);
}

/* A column that begins with "#" holds numbers. */
export function Table(props: { caption: string; columns: string[]; children: ComponentChildren }) {
	return (
		<div class="scroll" tabIndex={0} role="region" aria-label={props.caption}>
			<table>
				<caption class="unseen">{props.caption}</caption>
				<thead>
					<tr>
						{props.columns.map((c) => (
							<th key={c} scope="col" class={c.startsWith("#") ? "number" : undefined}>
								{c.replace(/^#/, "")}
							</th>
						))}
					</tr>
				</thead>
				<tbody>{props.children}</tbody>
			</table>
		</div>
	);
}
