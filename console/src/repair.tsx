/* What did not go through, and what a person has to decide: deliveries, dead letters, exceptions. */
import { useState } from "preact/hooks";
import { ActFailure, useAct } from "./act.tsx";
import { AskText } from "./ask.tsx";
import { dateTime, micros, pretty, words } from "./format.ts";
import { Changes, Mend } from "./mend.tsx";
import { hrefTo } from "./route.ts";
import type { Attempt, DeadLetter, Delivery, Exception } from "./types.ts";
import { Empty, Failure, Heading, Link, List, Loading, Status, Table, useGet, useShell } from "./ui.tsx";

const statuses = ["waiting", "sending", "unknown", "delivered", "superseded", "cancelled", "dead_letter"];

export function DeliveriesPage(props: { system: string; status: string }) {
	const { navigate } = useShell();
	return (
		<>
			<Heading title="Deliveries" lead={props.system && `to ${props.system}`}>
				Deliveries
			</Heading>
			<form class="filter" onSubmit={(e) => e.preventDefault()}>
				<label>
					Status
					<select
						value={props.status}
						onChange={(e) => navigate(`${hrefTo("deliveries")}?${new URLSearchParams({ system: props.system, status: e.currentTarget.value })}`)}
					>
						<option value="">any</option>
						{statuses.map((s) => (
							<option key={s} value={s}>
								{words(s)}
							</option>
						))}
					</select>
				</label>
			</form>
			<List<Delivery>
				path="/v1/deliveries"
				values={{ system: props.system, status: props.status }}
				caption="Deliveries, the newest first"
				columns={["Made", "System", "What", "Status", "#Attempts", "Reason", ""]}
				keyOf={(d) => d.delivery_id}
				empty="No delivery fits."
				row={(d) => (
					<>
						<td>
							<Link href={hrefTo("deliveries", d.delivery_id)}>{dateTime(d.created_at)}</Link>
						</td>
						<td>{d.system}</td>
						<td>{words(d.operation)}</td>
						<td>
							<Status of={d.status} />
						</td>
						<td class="number">{d.attempts_made}</td>
						<td>{d.reason}</td>
						<td>{d.order_id && <Link href={hrefTo("orders", d.order_id)}>Order</Link>}</td>
					</>
				)}
			/>
		</>
	);
}

function Attempts(props: { of: Attempt[] | undefined }) {
	const attempts = props.of;
	return (
		<>
			<h2>Attempts</h2>
			{!attempts?.length ? (
				<Empty>Not sent yet.</Empty>
			) : (
				<Table caption="Attempts" columns={["#No", "At", "Outcome", "#HTTP", "#Took", "Detail"]}>
					{attempts.map((a) => (
						<tr key={a.number}>
							<td class="number">{a.number}</td>
							<td>{dateTime(a.at)}</td>
							<td>
								<Status of={a.outcome} />
							</td>
							<td class="number">{a.http_status}</td>
							<td class="number">{micros(a.duration_us)}</td>
							<td>
								{a.detail}
								{(a.request || a.response) && (
									<details>
										<summary>Request and answer</summary>
										<pre>{[a.request, a.response].filter(Boolean).join("\n\n")}</pre>
									</details>
								)}
							</td>
						</tr>
					))}
				</Table>
			)}
		</>
	);
}

export function DeliveryPage(props: { id: string }) {
	const { data: d, error, again } = useGet<Delivery>(`/v1/deliveries/${encodeURIComponent(props.id)}`, 2000);
	const act = useAct(again);
	if (!d)
		return error ? <Failure error={error} again={again} /> : <Loading />;
	return (
		<>
			<Heading
				title={`Delivery to ${d.system}`}
				lead={
					<>
						<Status of={d.status} /> {d.reason}
					</>
				}
			>
				{words(d.operation)} <span class="dim">to {d.system}</span>
			</Heading>
			<dl class="facts">
				<div>
					<dt>Made</dt>
					<dd>{dateTime(d.created_at)}</dd>
				</div>
				{d.next_at && (
					<div>
						<dt>Next attempt</dt>
						<dd>{dateTime(d.next_at)}</dd>
					</div>
				)}
				{d.order_id && (
					<div>
						<dt>Order</dt>
						<dd class="id">
							<Link href={hrefTo("orders", d.order_id)}>{d.order_id}</Link>
						</dd>
					</div>
				)}
				<div>
					<dt>Correlation id</dt>
					<dd class="id">
						<Link href={hrefTo("trace", d.correlation_id)}>{d.correlation_id}</Link>
					</dd>
				</div>
				<div>
					<dt>Idempotency key</dt>
					<dd class="id">{d.delivery_id}</dd>
				</div>
			</dl>
			{(d.status === "waiting" || d.status === "unknown") && (
				<div class="acts">
					<button type="button" aria-disabled={act.busy} onClick={() => void act.run("POST", `/v1/deliveries/${encodeURIComponent(d.delivery_id)}/run`)}>
						Try it now
					</button>
					<AskText label="Cancel it" question="Why?" optional busy={act.busy} onText={(reason) => void act.run("POST", `/v1/deliveries/${encodeURIComponent(d.delivery_id)}/cancel`, { reason })} />
				</div>
			)}
			<ActFailure act={act} />
			{d.replayed_at && <p>Sent again by a replay on {dateTime(d.replayed_at)}.</p>}
			<Attempts of={d.attempts} />
			{(d.document ?? d.params) !== undefined && (
				<details>
					<summary>What is sent</summary>
					<pre>{JSON.stringify(d.params ?? d.document, null, 2)}</pre>
				</details>
			)}
		</>
	);
}

export function DeadLettersPage(props: { system: string; operation: string }) {
	const only = [props.operation && words(props.operation), props.system && `of ${props.system}`].filter(Boolean).join(" ");
	return (
		<>
			<Heading title="Dead letters" lead={only || "What could not be applied or delivered, kept for repair."}>
				Dead letters
			</Heading>
			<List<DeadLetter>
				path="/v1/dead-letters"
				values={{ system: props.system, operation: props.operation }}
				caption="Dead letters, the newest first"
				columns={["At", "System", "What", "Class", "Status", "Reason", ""]}
				keyOf={(d) => d.id}
				empty="There are no dead letters: all messages went through."
				row={(d) => (
					<>
						<td>
							<Link href={hrefTo("dead-letters", d.id)}>{dateTime(d.at)}</Link>
						</td>
						<td>{d.system}</td>
						<td>
							{d.operation ? <Link href={`${hrefTo("dead-letters")}?${new URLSearchParams({ system: props.system, operation: d.operation })}`}>{words(d.operation)}</Link> : words(d.kind)}
						</td>
						<td>{words(d.class)}</td>
						<td>
							<Status of={d.status} />
						</td>
						<td>{d.reason}</td>
						<td>
							<Link href={hrefTo("trace", d.correlation_id)}>Trace</Link>
						</td>
					</>
				)}
			/>
		</>
	);
}

export function DeadLetterPage(props: { id: string }) {
	const { data: d, error, again } = useGet<DeadLetter>(`/v1/dead-letters/${encodeURIComponent(props.id)}`);
	const act = useAct(again);
	const edit = useAct(again);
	if (!d)
		return error ? <Failure error={error} again={again} /> : <Loading />;
	const payload = d.kind === "delivery" ? d.payload : d.message?.payload;
	const path = `/v1/dead-letters/${encodeURIComponent(d.id)}`;
	return (
		<>
			<Heading
				title="Dead letter"
				lead={
					<>
						<Status of={d.status} /> {d.reason}
					</>
				}
			>
				Dead letter <span class="dim">{d.system}</span>
			</Heading>
			<dl class="facts">
				<div>
					<dt>At</dt>
					<dd>{dateTime(d.at)}</dd>
				</div>
				<div>
					<dt>Class</dt>
					<dd>{words(d.class)}</dd>
				</div>
				{d.message?.endpoint && (
					<div>
						<dt>Endpoint</dt>
						<dd>{d.message.endpoint}</dd>
					</div>
				)}
				{d.delivery && (
					<div>
						<dt>Delivery</dt>
						<dd class="id">
							<Link href={hrefTo("deliveries", d.delivery.delivery_id)}>{d.delivery.delivery_id}</Link>
						</dd>
					</div>
				)}
				<div>
					<dt>Correlation id</dt>
					<dd class="id">
						<Link href={hrefTo("trace", d.correlation_id)}>{d.correlation_id}</Link>
					</dd>
				</div>
			</dl>
			{d.status === "open" && (
				<div class="acts">
					<button type="button" aria-disabled={act.busy} onClick={() => void act.run("POST", `${path}/replay`)}>
						{d.edit ? "Replay as edited" : "Replay"}
					</button>
					<AskText label="Discard" question="Why?" busy={act.busy} onText={(reason) => void act.run("POST", `${path}/discard`, { reason })} />
				</div>
			)}
			<ActFailure act={act} />
			{d.note && <p>{d.note}</p>}
			{d.edit && (
				<section aria-labelledby="changes">
					<h2 id="changes">Changes</h2>
					<p class="dim">
						Edited on {dateTime(d.edit.at)} {d.edit.by && `with the key ${d.edit.by}`}
					</p>
					<Changes changes={d.edit.changes} />
				</section>
			)}
			{payload && d.status === "open" && <Mend key={d.edit?.at} letter={d} original={payload} act={edit} />}
			{payload && d.status !== "open" && (
				<section aria-labelledby="payload">
					<h2 id="payload">{d.kind === "delivery" ? "What was to be sent" : "What came in"}</h2>
					<pre>{pretty(payload)}</pre>
				</section>
			)}
			{d.attempts && <Attempts of={d.attempts} />}
		</>
	);
}

function ExceptionActs(props: { of: Exception }) {
	const { of } = props;
	const [action, setAction] = useState("");
	const act = useAct(() => undefined);
	const path = `/v1/exceptions/${encodeURIComponent(of.exception_id)}`;
	if (of.status !== "open")
		return <>{of.resolution}</>;
	return (
		<>
			<AskText label="Assign" question="To whom?" optional busy={act.busy} onText={(assignee) => void act.run("POST", `${path}/assign`, { assignee })} />
			<AskText label="Resolve" question="How was it resolved?" busy={act.busy} onText={(resolution) => void act.run("POST", `${path}/resolve`, action ? { resolution, action } : { resolution })}>
				{of.order_id && (
					<label>
						The order
						<select value={action} onChange={(e) => setAction(e.currentTarget.value)}>
							<option value="">stays as it is</option>
							<option value="release">is released from its hold</option>
							<option value="cancel">is cancelled</option>
						</select>
					</label>
				)}
			</AskText>
			<ActFailure act={act} />
		</>
	);
}

export function ExceptionsPage() {
	return (
		<>
			<Heading title="Exceptions" lead="Business problems that a person must decide.">
				Exceptions
			</Heading>
			<List<Exception>
				path="/v1/exceptions"
				values={{}}
				caption="Exceptions, the newest first"
				columns={["At", "Kind", "What is the matter", "Status", "Who", "", "What to do"]}
				keyOf={(e) => e.exception_id}
				empty="There are no exceptions: nobody has to decide anything."
				row={(e) => (
					<>
						<td>{dateTime(e.at)}</td>
						<td>{words(e.kind)}</td>
						<td>{e.detail}</td>
						<td>
							<Status of={e.status} />
						</td>
						<td>{e.assignee}</td>
						<td>
							{e.order_id ? <Link href={hrefTo("orders", e.order_id)}>Order</Link> : <Link href={hrefTo("trace", e.correlation_id)}>Trace</Link>}
						</td>
						<td>
							<ExceptionActs of={e} />
						</td>
					</>
				)}
			/>
		</>
	);
}
