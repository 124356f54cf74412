/* The first page: what is flowing, each system, what needs a person, and the log as it grows. */
import { useEffect, useState } from "preact/hooks";
import { ActFailure, useAct } from "./act.tsx";
import { get } from "./api.ts";
import { RateChart } from "./chart.tsx";
import { about, aside, attemptRates, failures, funnel, health, outcomes, oversold, published, type Reading, remember } from "./derive.ts";
import type { StreamState } from "./follow.ts";
import { age, clock, count, micros, plural, rate, words } from "./format.ts";
import type { Live } from "./live.ts";
import { hrefTo } from "./route.ts";
import type { Audit, CloudEvent, Lag, Overview, Page, System } from "./types.ts";
import { Empty, Failure, Heading, Link, Loading, useGet, useShell } from "./ui.tsx";

function Flow(props: { overview: Overview }) {
	const rest = aside(props.overview);
	return (
		<>
			<ol class="flow" aria-label="Orders by how far they have come">
				{funnel(props.overview).map((s) => (
					<li key={s.key} data-step={s.key} style={{ "--tone": `var(--${s.key})` }}>
						<span class="label">{s.title}</span>
						<span class="figure">{count(s.reached)}</span>
						<span class="dim">{s.key === "shipped" ? "whole orders" : s.here ? `${count(s.here)} here now` : "none waiting here"}</span>
					</li>
				))}
			</ol>
			{rest.length > 0 && (
				<p class="asides">
					{rest.map(([status, n]) => (
						<Link key={status} href={`${hrefTo("orders")}?status=${status}`}>
							{words(status)} <b>{count(n)}</b>
						</Link>
					))}
				</p>
			)}
		</>
	);
}

function Figures(props: { overview: Overview }) {
	const o = props.overview;
	const over = oversold(o);
	const back = o.exceptions["backordered"] ?? 0;
	return (
		<div class="figures">
			<div class="tile">
				<span class="label">Stock updates published</span>
				<span class="figure">{count(published(o))}</span>
				<span class="dim">since the start, of {plural(o.items, "item")}</span>
			</div>
			<div class={`tile ${over ? "bad" : "good"}`}>
				<span class="label">Oversold</span>
				<span class="figure" data-figure="oversold">
					{count(over)}
				</span>
				<span class="dim">{over ? "places have less than was sent" : "nothing promised that was not there"}</span>
			</div>
			<Link href={hrefTo("exceptions")} class={`tile ${o.exceptions_open ? "warn" : ""}`}>
				<span class="label">Exceptions</span>
				<span class="figure">{count(o.exceptions_open)}</span>
				<span class="dim">{o.exceptions_open === 0 ? "nobody has to decide" : back ? `${count(back)} for stock that is short` : "a person has to decide"}</span>
			</Link>
			<Link href={hrefTo("dead-letters")} class={`tile ${o.dead_letters_open ? "bad" : ""}`}>
				<span class="label">Dead letters</span>
				<span class="figure">{count(o.dead_letters_open)}</span>
				<span class="dim">{o.dead_letters_open ? "messages to repair" : "all messages went through"}</span>
			</Link>
			<Books />
		</div>
	);
}

function Books() {
	const { api } = useShell();
	const [state, setState] = useState<{ busy?: boolean; audit?: Audit; error?: Error }>({});
	const check = async () => {
		if (state.busy)
			return;
		setState({ busy: true });
		try {
			setState({ audit: await get<Audit>(api, "/v1/audit") });
		} catch (e) {
			setState({ error: e as Error });
		}
	};
	const bad = state.audit?.checks.filter((c) => !c.ok) ?? [];
	return (
		<div class={`tile ${state.audit ? (state.audit.ok ? "good" : "bad") : ""}`}>
			<span class="label">Books</span>
			<span class="figure small" role="status">
				{state.busy ? "Checking…" : state.error ? "Not checked" : !state.audit ? "Not checked yet" : state.audit.ok ? "All agree" : `${bad.length} differ`}
			</span>
			<span class="dim">{state.error?.message ?? bad[0]?.name ?? (state.audit ? plural(state.audit.checks.length, "check") : "every movement, order and message")}</span>
			<button type="button" class="quiet" aria-disabled={state.busy} onClick={() => void check()}>
				Check now
			</button>
		</div>
	);
}

function lagWords(lag: Lag | undefined) {
	if (!lag || lag.count === 0)
		return <span class="dim">nothing yet</span>;
	return (
		<span class="whole">
			{micros(lag.p50_us)}
			<span class="dim"> · p99 </span>
			{micros(lag.p99_us)}
		</span>
	);
}

function SystemCard(props: { system: System; overview: Overview; readings: readonly Reading[]; changed: () => void }) {
	const { now } = useShell();
	const { system: s, overview } = props;
	const act = useAct(props.changed);
	const o = outcomes(overview.deliveries, s.id);
	const h = health(s);
	const rates = attemptRates(props.readings, s.id);
	const failed = failures(s);
	const lag = overview.lag[s.id];
	const ended = o.delivered + o.dead + o.superseded + o.cancelled;
	const share = (n: number) => (ended ? (100 * n) / ended : 0);
	return (
		<article class="card" data-system={s.id}>
			<header>
				<h3>{s.id}</h3>
				<span class="dim">{s.roles.join(", ")}</span>
				<span class={`health ${h.tone}`}>{h.words}</span>
			</header>
			<dl>
				<dt>Backlog</dt>
				<dd>
					<Link href={`${hrefTo("deliveries")}?system=${encodeURIComponent(s.id)}`}>{count(s.backlog)}</Link>
					{s.oldest_at && s.backlog > 0 && <span class="dim"> oldest {age(now() - Date.parse(s.oldest_at))}</span>}
				</dd>
				<dt>Delivered</dt>
				<dd>
					{count(o.delivered)}
					{rates && (
						<span class="dim">
							{" "}
							· {rate(rates.good)}/s{rates.other > 0 && `, failed ${rate(rates.other)}/s`}
						</span>
					)}
				</dd>
				<dt>Lag p50</dt>
				<dd>{lagWords(lag?.delivery)}</dd>
				{lag?.availability && (
					<>
						<dt>Stock to shop</dt>
						<dd>{lagWords(lag.availability)}</dd>
					</>
				)}
			</dl>
			<div
				class="bar"
				role="img"
				aria-label={`Of ${count(ended)} ended deliveries ${count(o.delivered)} delivered, ${count(o.superseded)} superseded, ${count(o.cancelled)} cancelled, ${count(o.dead)} dead letters`}
			>
				<i class="good" style={{ width: `${share(o.delivered)}%` }} />
				<i class="plain" style={{ width: `${share(o.superseded + o.cancelled)}%` }} />
				<i class="bad" style={{ width: `${share(o.dead)}%` }} />
			</div>
			{s.health === "failing" && (
				<p class="trouble">
					{s.last_failure ?? "No answer"}
					{s.next_attempt_at && <span class="dim"> · next attempt {clock(s.next_attempt_at, false)}</span>}
				</p>
			)}
			{failed.length > 0 && (
				<p class="trouble dim">
					Attempts that failed: {failed.map(([name, n]) => `${count(n)} ${words(name).toLowerCase()}`).join(", ")}
				</p>
			)}
			<footer>
				<span class="dim">
					{ended ? `${share(o.delivered).toFixed(share(o.delivered) === 100 ? 0 : 1)} % delivered` : "nothing sent yet"}
					{o.superseded > 0 && `, ${count(o.superseded)} superseded`}
				</span>
				{o.dead > 0 && (
					<Link href={`${hrefTo("dead-letters")}?system=${encodeURIComponent(s.id)}`} class="bad">
						{plural(o.dead, "dead letter")}
					</Link>
				)}
				<button type="button" class="quiet" aria-disabled={act.busy} onClick={() => void act.run("POST", `/v1/systems/${encodeURIComponent(s.id)}/${s.paused ? "resume" : "pause"}`)} aria-label={`${s.paused ? "Resume" : "Pause"} deliveries to ${s.id}`}>
					{s.paused ? "Resume" : "Pause"}
				</button>
			</footer>
			<ActFailure act={act} />
		</article>
	);
}

const kinds = [
	["all", "All", (_: CloudEvent) => true],
	["order", "Orders", (e: CloudEvent) => /^(order|shipment)\./.test(e.type)],
	["stock", "Stock", (e: CloudEvent) => e.type.startsWith("stock.")],
	["availability", "Availability", (e: CloudEvent) => e.type.startsWith("availability.")],
	["exception", "Exceptions", (e: CloudEvent) => e.type.startsWith("exception.")],
] as const;

function Tail(props: { live: Live; state: StreamState }) {
	const [kind, setKind] = useState<string>("all");
	const [held, setHeld] = useState<readonly CloudEvent[]>();
	const match = kinds.find((k) => k[0] === kind)![2];
	const shown = (held ?? props.live.tail).filter(match).slice(0, 40);
	return (
		<section aria-labelledby="tail">
			<div class="title">
				<h2 id="tail">Events</h2>
				<span class={`stream ${props.state}`}>{props.state === "live" ? "Live" : props.state === "lost" ? "Connecting again" : "Connecting"}</span>
				<div class="chips" role="group" aria-label="Which events">
					{kinds.map(([name, title]) => (
						<button key={name} type="button" aria-pressed={kind === name} onClick={() => setKind(name)}>
							{title}
						</button>
					))}
				</div>
				<button type="button" class="quiet" aria-pressed={held !== undefined} onClick={() => setHeld(held ? undefined : props.live.tail)}>
					{held ? "Go on" : "Hold"}
				</button>
			</div>
			{shown.length === 0 ? (
				<Empty>{props.live.seen ? "No such events among the newest." : "Nothing has happened yet. Events appear here as they are committed."}</Empty>
			) : (
				<ol class="tail">
					{shown.map((e) => (
						<li key={e.position}>
							<time dateTime={e.time}>{clock(e.time)}</time>
							<span class="type">{e.type}</span>
							<span class="what">{about(e)}</span>
							<Link href={hrefTo("trace", e.correlationid)}>Trace</Link>
						</li>
					))}
				</ol>
			)}
		</section>
	);
}

export function OverviewPage(props: { live: Live; stream: StreamState; overview: Overview | undefined; error: Error | undefined }) {
	const systems = useGet<Page<System>>("/v1/systems", 2000);
	const [readings, setReadings] = useState<readonly Reading[]>([]);
	const { overview: o } = props;
	useEffect(() => {
		if (systems.data)
			setReadings((was) => remember(was, { at: performance.now(), systems: systems.data!.items }));
	}, [systems.data]);
	if (!o)
		return props.error ? <Failure error={props.error} /> : <Loading />;
	return (
		<>
			<Heading title="Overview" lead={<>{plural(o.items, "item")}, {count(o.position)} events in the log{o.ready ? "" : ", the store cannot commit now"}</>}>
				Overview
			</Heading>
			<section aria-label="Orders">
				<Flow overview={o} />
				<RateChart live={props.live} />
			</section>
			<Figures overview={o} />
			<section aria-labelledby="systems">
				<h2 id="systems">Systems</h2>
				{systems.error && <Failure error={systems.error} />}
				{!systems.data && !systems.error && <Loading />}
				{systems.data?.items.length === 0 && <Empty>No system is configured for this tenant: see systems: in crossdock.yaml.</Empty>}
				<div class="cards">
					{systems.data?.items.map((s) => (
						<SystemCard key={s.id} system={s} overview={o} readings={readings} changed={systems.again} />
					))}
				</div>
			</section>
			<Tail live={props.live} state={props.stream} />
		</>
	);
}
