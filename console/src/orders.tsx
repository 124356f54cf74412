/* Finding orders, one order, and the trace of a correlation id. */
import { useEffect, useState } from "preact/hooks";
import { get, query } from "./api.ts";
import { clock, dateTime, isZero, micros, pretty, quantity, since, words } from "./format.ts";
import { hrefTo } from "./route.ts";
import type { Entry, Order, OrderHead, Page, System, Timeline } from "./types.ts";
import { Empty, Failure, Heading, Link, List, Loading, Status, Table, useGet, useShell } from "./ui.tsx";

const statuses = ["captured", "on_hold", "backordered", "reserved", "accepted", "released", "partially_shipped", "shipped", "invoiced",
	"closed", "cancelled", "rejected"];

export function OrdersPage(props: { search: string; status: string }) {
	const { navigate } = useShell();
	const go = (search: string, status: string) => {
		const q = new URLSearchParams();
		if (search)
			q.set("q", search);
		if (status)
			q.set("status", status);
		navigate(`${hrefTo("orders")}${q.size ? `?${q.toString()}` : ""}`);
	};
	return (
		<>
			<Heading title="Orders">Orders</Heading>
			<form
				class="filter"
				role="search"
				onSubmit={(e) => {
					e.preventDefault();
					const f = new FormData(e.currentTarget);
					go(String(f.get("q") ?? "").trim(), String(f.get("status") ?? ""));
				}}
			>
				<label>
					The channel's order number
					<input type="search" name="q" defaultValue={props.search} key={props.search} autocomplete="off" spellcheck={false} />
				</label>
				<label>
					Status
					<select name="status" value={props.status} onChange={(e) => go(props.search, e.currentTarget.value)}>
						<option value="">any</option>
						{statuses.map((s) => (
							<option key={s} value={s}>
								{words(s)}
							</option>
						))}
					</select>
				</label>
				<button type="submit">Search</button>
			</form>
			{props.search ? (
				<Found search={props.search} status={props.status} />
			) : (
				<List<OrderHead>
					path="/v1/orders"
					values={{ status: props.status }}
					caption="Orders, the newest first"
					columns={columns}
					keyOf={(o) => o.order_id}
					empty={props.status ? "No order fits." : "No order has come in yet."}
					row={row}
				/>
			)}
		</>
	);
}

const columns = ["Order", "Channel", "Status", "Since", "Placed", "Customer"];

function row(o: OrderHead) {
	return (
		<>
			<td>
				<Link href={hrefTo("orders", o.order_id)}>{o.external_id}</Link>
			</td>
			<td>{o.channel}</td>
			<td>
				<Status of={o.status} />
			</td>
			<td>{dateTime(o.stage_since)}</td>
			<td>{o.placed_at ? dateTime(o.placed_at) : ""}</td>
			<td>{o.customer?.external_id}</td>
		</>
	);
}

/* An order number belongs to a channel: each is asked, which finds it at once however many orders there are. */
function Found(props: { search: string; status: string }) {
	const { api } = useShell();
	const systems = useGet<Page<System>>("/v1/systems");
	const [found, setFound] = useState<{ search: string; items?: OrderHead[]; error?: Error }>();
	const channels = systems.data?.items.filter((s) => s.roles.includes("channel")).map((s) => s.id);
	useEffect(() => {
		if (!channels)
			return undefined;
		const stop = new AbortController();
		const ask = (channel: string) => get<Page<OrderHead>>(api, query("/v1/orders", { channel, external_id: props.search, status: props.status }), stop.signal);
		Promise.all(channels.map(ask)).then(
			(pages) => !stop.signal.aborted && setFound({ search: props.search, items: pages.flatMap((p) => p.items) }),
			(error: Error) => !stop.signal.aborted && setFound({ search: props.search, error }),
		);
		return () => stop.abort();
	}, [api, channels?.join("\n"), props.search, props.status]);
	const error = systems.error ?? (found?.search === props.search ? found.error : undefined);
	if (error)
		return <Failure error={error} again={systems.again} />;
	if (!found?.items || found.search !== props.search)
		return <Loading />;
	if (found.items.length === 0)
		return <Empty>No channel has an order with this number.</Empty>;
	return (
		<Table caption="Orders that were found" columns={columns}>
			{found.items.map((o) => (
				<tr key={o.order_id}>{row(o)}</tr>
			))}
		</Table>
	);
}

const amounts = ["reserved", "backordered", "released", "shipped", "invoiced", "returned", "cancelled"] as const;

function Lines(props: { order: Order }) {
	const shown = amounts.filter((a) => a === "reserved" || a === "shipped" || props.order.lines.some((l) => !isZero(l[a])));
	return (
		<Table caption="Lines" columns={["Line", "Item", "Status", "#Ordered", ...shown.map((a) => `#${words(a)}`), "Unit", "#Price"]}>
			{props.order.lines.map((l) => (
				<tr key={l.line_id}>
					<td>{l.line_id}</td>
					<td>
						<Link href={hrefTo("stock", l.sku)}>{l.sku}</Link> {l.description && <span class="dim">{l.description}</span>}
					</td>
					<td>
						<Status of={l.status} />
					</td>
					<td class="number">{quantity(l.ordered)}</td>
					{shown.map((a) => (
						<td key={a} class={isZero(l[a]) ? "number dim" : "number"}>
							{quantity(l[a])}
						</td>
					))}
					<td>{l.uom}</td>
					<td class="number">{l.unit_price}</td>
				</tr>
			))}
		</Table>
	);
}

function extra(e: Entry): unknown {
	const { at: _at, kind: _kind, summary: _summary, ...rest } = e;
	return rest;
}

export function Steps(props: { entries: Entry[] }) {
	const first = props.entries[0]?.at ?? "";
	const [quiet, setQuiet] = useState(false);
	const shown = quiet ? props.entries.filter((e) => e.kind !== "attempt" && !e.type?.startsWith("availability.")) : props.entries;
	if (props.entries.length === 0)
		return <Empty>Nothing has happened yet.</Empty>;
	return (
		<>
			<label class="check">
				<input type="checkbox" checked={quiet} onChange={(e) => setQuiet(e.currentTarget.checked)} /> Without attempts
			</label>
			<ol class="steps">
				{shown.map((e, i) => (
					<li key={i} class={e.kind} data-kind={e.kind}>
						<div class="when">
							<time dateTime={e.at}>{clock(e.at)}</time>
							<span class="dim">{since(first, e.at)}</span>
						</div>
						<div class="what">
							<span class="summary">{e.summary}</span>{" "}
							{e.kind === "attempt" && e.duration_us !== undefined && <span class="dim"> {micros(e.duration_us)}</span>}
							{e.kind === "delivery" && e.delivery_id && <Link class="small" href={hrefTo("deliveries", e.delivery_id)}>Attempts</Link>}
							<details>
								<summary>Details</summary>
								<pre>{pretty(JSON.stringify(extra(e)))}</pre>
							</details>
						</div>
					</li>
				))}
			</ol>
		</>
	);
}

export function OrderPage(props: { id: string }) {
	const path = `/v1/orders/${encodeURIComponent(props.id)}`;
	const order = useGet<Order>(path, 2000);
	const timeline = useGet<Timeline>(`${path}/timeline`, 2000);
	const o = order.data;
	if (!o)
		return order.error ? <Failure error={order.error} again={order.again} /> : <Loading />;
	const externals = Object.entries(o.external_ids ?? {});
	return (
		<>
			<Heading
				title={`Order ${o.external_id}`}
				lead={
					<>
						<Status of={o.status} /> since {dateTime(o.stage_since)}
					</>
				}
			>
				Order {o.external_id} <span class="dim">of {o.channel}</span>
			</Heading>
			{order.error && <Failure error={order.error} />}
			<dl class="facts">
				<div>
					<dt>Placed</dt>
					<dd>{o.placed_at ? dateTime(o.placed_at) : "not said"}</dd>
				</div>
				<div>
					<dt>Customer</dt>
					<dd>
						{o.customer?.external_id} {o.customer?.name}
					</dd>
				</div>
				<div>
					<dt>Currency</dt>
					<dd>{o.currency}</dd>
				</div>
				{externals.map(([system, id]) => (
					<div key={system}>
						<dt>In {system}</dt>
						<dd>{id}</dd>
					</div>
				))}
				<div>
					<dt>Order id</dt>
					<dd class="id">{o.order_id}</dd>
				</div>
				<div>
					<dt>Correlation id</dt>
					<dd class="id">
						<Link href={hrefTo("trace", o.correlation_id)}>{o.correlation_id}</Link>
					</dd>
				</div>
			</dl>
			<section aria-labelledby="lines">
				<h2 id="lines">Lines</h2>
				<Lines order={o} />
			</section>
			<section aria-labelledby="timeline">
				<h2 id="timeline">Timeline</h2>
				{timeline.error && <Failure error={timeline.error} />}
				{timeline.data ? <Steps entries={timeline.data.entries} /> : !timeline.error && <Loading />}
			</section>
		</>
	);
}

export function TracePage(props: { id: string }) {
	const { navigate } = useShell();
	return (
		<>
			<Heading title="Trace" lead={props.id ? <span class="id">{props.id}</span> : "Everything that happened under one correlation id."}>
				Trace
			</Heading>
			<form
				class="filter"
				role="search"
				onSubmit={(e) => {
					e.preventDefault();
					const id = String(new FormData(e.currentTarget).get("id") ?? "").trim();
					if (id)
						navigate(hrefTo("trace", id));
				}}
			>
				<label class="wide">
					Correlation id
					<input type="search" name="id" defaultValue={props.id} key={props.id} autocomplete="off" spellcheck={false} />
				</label>
				<button type="submit">Show</button>
			</form>
			{props.id && <TraceSteps id={props.id} />}
		</>
	);
}

function TraceSteps(props: { id: string }) {
	const trace = useGet<Timeline>(`/v1/trace/${encodeURIComponent(props.id)}`, 2000);
	if (!trace.data)
		return trace.error ? <Failure error={trace.error} again={trace.again} /> : <Loading />;
	return (
		<>
			{trace.error && <Failure error={trace.error} />}
			<Steps entries={trace.data.entries} />
		</>
	);
}
