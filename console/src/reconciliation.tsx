/* Balances of other systems against the ledger: the runs, and what one of them found. */
import { useState } from "preact/hooks";
import { ActFailure, useAct } from "./act.tsx";
import { request } from "./api.ts";
import { count, dateTime, quantity } from "./format.ts";
import { hrefTo } from "./route.ts";
import { actions, classes, minus, outcome, reactions, runStanding } from "./standing.ts";
import type { Drift, Page, Reconciliation, System } from "./types.ts";
import { Failure, Heading, Link, List, Loading, useGet, useShell } from "./ui.tsx";

function Standing(props: { of: Reconciliation }) {
	const { tone, text } = runStanding(props.of);
	return <span class={`status ${tone}`}>{text}</span>;
}

function Start() {
	const { navigate } = useShell();
	const act = useAct(() => undefined);
	const { data, error } = useGet<Page<System>>("/v1/systems", 0);
	if (!data)
		return error ? <Failure error={error} /> : <Loading />;
	return (
		<section aria-labelledby="start">
			<h2 id="start">Compare now</h2>
			<form
				class="filter"
				onSubmit={async (e) => {
					e.preventDefault();
					const form = new FormData(e.currentTarget);
					const on_drift = String(form.get("on_drift"));
					const begun = await act.tell<{ reconciliation_id: string }>("POST", "/v1/reconciliations", { system: String(form.get("system")), ...(on_drift && { on_drift }) });
					if (begun)
						navigate(hrefTo("reconciliations", begun.reconciliation_id));
				}}
			>
				<label>
					The balances of
					<select name="system" required>
						{data.items.map((s) => (
							<option key={s.id} value={s.id}>
								{s.id}
							</option>
						))}
					</select>
				</label>
				<label>
					Differences
					<select name="on_drift">
						<option value="">as configured</option>
						{Object.entries(reactions).map(([value, text]) => (
							<option key={value} value={value}>
								{text}
							</option>
						))}
					</select>
				</label>
				<button type="submit" aria-disabled={act.busy}>
					Start
				</button>
			</form>
			<ActFailure act={act} />
		</section>
	);
}

export function ReconciliationsPage() {
	return (
		<>
			<Heading title="Reconciliation" lead="What other systems say they hold, compared with the ledger.">
				Reconciliation
			</Heading>
			<Start />
			<List<Reconciliation>
				path="/v1/reconciliations"
				values={{}}
				caption="Reconciliations, the newest first"
				columns={["Started", "System", "State", "Result", "Differences", ""]}
				keyOf={(r) => r.id}
				empty="Nothing has been compared yet."
				row={(r) => (
					<>
						<td class="whole">
							<Link href={hrefTo("reconciliations", r.id)}>{dateTime(r.started_at)}</Link>
						</td>
						<td>{r.system}</td>
						<td>
							<Standing of={r} />
						</td>
						<td>{outcome(r)}</td>
						<td>{reactions[r.on_drift] ?? r.on_drift}</td>
						<td>
							<Link href={hrefTo("trace", r.correlation_id)}>Trace</Link>
						</td>
					</>
				)}
			/>
		</>
	);
}

/* ---- one ---- */

function Cancel(props: { of: Reconciliation; done: () => void }) {
	const act = useAct(props.done);
	return (
		<>
			<button type="button" class="quiet" aria-disabled={act.busy} onClick={() => void act.run("POST", `/v1/reconciliations/${encodeURIComponent(props.of.id)}/cancel`)}>
				Cancel
			</button>
			<ActFailure act={act} />
		</>
	);
}

function Report(props: { of: Reconciliation }) {
	const { api } = useShell();
	const act = useAct(() => undefined);
	const [busy, setBusy] = useState(false);
	/* A link could not send the key. */
	const save = async () => {
		if (busy)
			return;
		setBusy(true);
		try {
			const response = await request(api, `/v1/reconciliations/${encodeURIComponent(props.of.id)}/report.csv`);
			const url = URL.createObjectURL(await response.blob());
			const link = document.createElement("a");
			link.href = url;
			link.download = `reconciliation-${props.of.system}-${props.of.started_at.slice(0, 10)}.csv`;
			link.click();
			setTimeout(() => URL.revokeObjectURL(url), 60_000);
		} catch (e) {
			act.fail(e as Error);
		}
		setBusy(false);
	};
	return (
		<>
			<button type="button" aria-disabled={busy} onClick={() => void save()}>
				Download as CSV
			</button>
			<ActFailure act={act} />
		</>
	);
}

function Counts(props: { title: string; names: Record<string, string>; of: Record<string, number> | undefined }) {
	return (
		<section>
			<h2>{props.title}</h2>
			<dl class="counts">
				{Object.entries(props.names).map(([name, text]) => (
					<div key={name} class={props.of?.[name] ? undefined : "dim"}>
						<dt>{text}</dt>
						<dd>{count(props.of?.[name] ?? 0)}</dd>
					</div>
				))}
			</dl>
		</section>
	);
}

function Differences(props: { of: Reconciliation }) {
	const [kind, setKind] = useState("");
	return (
		<>
			<div class="title">
				<h2>Differences</h2>
				<div class="chips" role="group" aria-label="Show">
					{Object.entries({ "": "All", late: "Late", double: "Double", master_data: "Master data", lost: "Lost" }).map(([value, text]) => (
						<button type="button" key={value} aria-pressed={kind === value} onClick={() => setKind(value)}>
							{text}
						</button>
					))}
				</div>
				<Report of={props.of} />
			</div>
			<List<Drift>
				key={kind}
				path={`/v1/reconciliations/${encodeURIComponent(props.of.id)}/drift`}
				values={{ class: kind }}
				caption="What differs"
				columns={["SKU", "Location", "Lot", "#Theirs", "#Ours", "#Difference", "Why", "What was done", "Detail"]}
				keyOf={(d) => JSON.stringify([d.sku, d.location, d.lot])}
				empty={kind ? "No difference is of this kind." : "Nothing differs."}
				row={(d) => (
					<>
						<td>
							<Link href={hrefTo("stock", d.sku)}>{d.sku}</Link>
						</td>
						<td>{d.location ?? <span class="dim">all</span>}</td>
						<td>{d.lot}</td>
						<td class="number">{quantity(d.theirs)}</td>
						<td class="number">{quantity(d.ours)}</td>
						<td class="number">{minus(d.theirs, d.ours)}</td>
						<td>{classes[d.class] ?? d.class}</td>
						<td>{actions[d.action] ?? d.action}</td>
						<td>{d.detail}</td>
					</>
				)}
			/>
		</>
	);
}

export function ReconciliationPage(props: { id: string }) {
	const { data: r, error, again } = useGet<Reconciliation>(`/v1/reconciliations/${encodeURIComponent(props.id)}`, 1000);
	if (!r)
		return error ? <Failure error={error} again={again} /> : <Loading />;
	return (
		<>
			<Heading
				title={`Reconciliation of ${r.system}`}
				lead={
					<>
						<Standing of={r} /> {outcome(r)}
					</>
				}
			>
				Reconciliation <span class="dim">of {r.system}</span>
			</Heading>
			{error && <Failure error={error} />}
			{r.status === "running" && <progress aria-label="It runs" />}
			{r.status === "running" && <Cancel of={r} done={again} />}
			<dl class="facts">
				<div>
					<dt>Started</dt>
					<dd>{dateTime(r.started_at)}</dd>
				</div>
				{r.ended_at && (
					<div>
						<dt>Ended</dt>
						<dd>{dateTime(r.ended_at)}</dd>
					</div>
				)}
				{r.summary?.as_of && (
					<div>
						<dt>Balances of</dt>
						<dd>{dateTime(r.summary.as_of)}</dd>
					</div>
				)}
				<div>
					<dt>Balances</dt>
					<dd>{r.balances === "given" ? "sent to us" : "read from the system"}</dd>
				</div>
				<div>
					<dt>Differences</dt>
					<dd>{reactions[r.on_drift] ?? r.on_drift}</dd>
				</div>
				{r.status === "done" && (
					<div>
						<dt>Units they have more, less</dt>
						<dd>
							{quantity(r.summary?.units_more)}, {quantity(r.summary?.units_less)}
						</dd>
					</div>
				)}
				<div>
					<dt>Correlation id</dt>
					<dd class="id">
						<Link href={hrefTo("trace", r.correlation_id)}>{r.correlation_id}</Link>
					</dd>
				</div>
			</dl>
			{r.summary?.not_corrected && <div class="notice">{r.summary.not_corrected}</div>}
			{r.status === "done" && (
				<div class="halves">
					<Counts title="Why it differs" names={classes} of={r.summary?.differences} />
					<Counts title="What was done" names={actions} of={r.summary?.actions} />
				</div>
			)}
			{r.status === "done" && <Differences of={r} />}
		</>
	);
}
