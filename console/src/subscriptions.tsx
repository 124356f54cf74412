/* Who gets events as webhooks: the list, and one of them with all that can be done to it. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { type Act, ActFailure, useAct } from "./act.tsx";
import { Fold, Once } from "./ask.tsx";
import { count, dateTime, plural } from "./format.ts";
import { hrefTo } from "./route.ts";
import { standing, typesOf } from "./standing.ts";
import type { Delivery, Subscription } from "./types.ts";
import { Failure, Heading, Link, List, Loading, Status, useGet, useShell } from "./ui.tsx";

function Standing(props: { of: Subscription }) {
	const { tone, text } = standing(props.of);
	return <span class={`status ${tone}`}>{text}</span>;
}

function Host(props: { url: string }) {
	return <span class="id">{props.url.replace(/\?.*/, "?…")}</span>;
}

function Types(props: { of: string[] }) {
	return (
		<>
			{props.of.map((t) => (
				<code key={t} class="chip">
					{t}
				</code>
			))}
		</>
	);
}

function Create(props: { made: (s: Subscription) => void }) {
	const act = useAct(() => undefined);
	return (
		<Fold label="New subscription">
			{(close) => (
				<form
					class="fields"
					onSubmit={async (e) => {
						e.preventDefault();
						const form = e.currentTarget;
						const data = new FormData(form);
						const made = await act.tell<Subscription>("POST", "/v1/subscriptions", {
							url: String(data.get("url")).trim(),
							types: typesOf(String(data.get("types"))),
							kind: String(data.get("kind")),
						});
						if (!made)
							return;
						form.reset();
						close();
						props.made(made);
					}}
				>
					<label class="wide">
						URL
						<input name="url" type="url" required maxLength={2000} placeholder="https://example.com/hook" autocomplete="off" spellcheck={false} />
					</label>
					<label class="wide">
						<span>
							Events <span class="dim">by spaces; order.* is all that begin so, * is all</span>
						</span>
						<input name="types" required placeholder="order.* shipment.created" autocomplete="off" spellcheck={false} />
					</label>
					<label>
						Signed with
						<select name="kind">
							<option value="hmac-sha256">a shared secret (HMAC-SHA256)</option>
							<option value="ed25519">a key pair (Ed25519)</option>
						</select>
					</label>
					<div class="acts">
						<button type="submit" aria-disabled={act.busy}>
							Create
						</button>
					</div>
					<ActFailure act={act} />
				</form>
			)}
		</Fold>
	);
}

export function SubscriptionsPage() {
	const [made, setMade] = useState<Subscription>();
	return (
		<>
			<Heading title="Subscriptions" lead="Who gets events as signed webhooks.">
				Subscriptions
			</Heading>
			{made?.secret && <Once label={`The secret of ${made.subscription_id}. It is shown this once.`} text={made.secret} done={() => setMade(undefined)} />}
			<Create made={setMade} />
			<List<Subscription>
				key={made?.subscription_id}
				path="/v1/subscriptions"
				values={{}}
				caption="Subscriptions, the newest first"
				columns={["Name", "State", "Where to", "Events", "#Backlog", "Last success", "Last failure"]}
				keyOf={(s) => s.subscription_id}
				empty="Nobody has subscribed to events."
				row={(s) => (
					<>
						<td class="whole">
							<Link href={hrefTo("subscriptions", s.subscription_id)}>{s.subscription_id}</Link>
						</td>
						<td>
							<Standing of={s} />
						</td>
						<td>
							<Host url={s.url} />
						</td>
						<td>
							<Types of={s.types} />
						</td>
						<td class="number">{count(s.backlog)}</td>
						<td class="whole">{s.last_success_at ? dateTime(s.last_success_at) : <span class="dim">none yet</span>}</td>
						<td>
							{s.last_failure_at ? <span class="whole">{dateTime(s.last_failure_at)}</span> : <span class="dim">none</span>}
							{s.last_failure && <div class="dim">{s.last_failure}</div>}
						</td>
					</>
				)}
			/>
		</>
	);
}

/* ---- one ---- */

function Tested(props: { id: string }) {
	const { data: d, error } = useGet<Delivery>(`/v1/deliveries/${encodeURIComponent(props.id)}`, 1000);
	if (!d)
		return error ? <Failure error={error} /> : <Loading />;
	const last = d.attempts?.at(-1);
	return (
		<div class="notice" role="status">
			<strong>Test event:</strong> <Status of={d.status} /> {last?.http_status ? `HTTP ${last.http_status}` : last?.detail}{" "}
			<Link href={hrefTo("deliveries", d.delivery_id)}>Details</Link>
		</div>
	);
}

function Replay(props: { path: string; act: Act }) {
	return (
		<Fold label="Replay">
			{(close) => (
				<form
					class="fields"
					onSubmit={async (e) => {
						e.preventDefault();
						const after = Number(new FormData(e.currentTarget).get("after"));
						if (await props.act.run("POST", `${props.path}/replay`, { after }))
							close();
					}}
				>
					<label>
						<span>
							Send again all events after position <span class="dim">0 is the beginning</span>
						</span>
						<input name="after" type="number" min={0} step={1} required defaultValue="0" />
					</label>
					<div class="acts">
						<button type="submit" aria-disabled={props.act.busy}>
							Send again
						</button>
					</div>
				</form>
			)}
		</Fold>
	);
}

function Rotate(props: { path: string; act: Act; secret: (text: string) => void }) {
	return (
		<Fold label="Rotate the secret">
			{(close) => (
				<form
					class="fields"
					onSubmit={async (e) => {
						e.preventDefault();
						const data = new FormData(e.currentTarget);
						const made = await props.act.tell<Subscription>("POST", `${props.path}/rotate`, { kind: String(data.get("kind")), keep_s: Number(data.get("keep")) });
						if (!made?.secret)
							return;
						props.secret(made.secret);
						close();
					}}
				>
					<label>
						The secret of today signs as well
						<select name="keep">
							<option value="0">no longer</option>
							<option value="3600">for an hour</option>
							<option value="86400" selected>
								for a day
							</option>
							<option value="604800">for a week</option>
						</select>
					</label>
					<label>
						The new one is
						<select name="kind">
							<option value="hmac-sha256">a shared secret</option>
							<option value="ed25519">a key pair</option>
						</select>
					</label>
					<div class="acts">
						<button type="submit" aria-disabled={props.act.busy}>
							Rotate
						</button>
					</div>
				</form>
			)}
		</Fold>
	);
}

function Delete(props: { id: string; backlog: number; path: string; act: Act }) {
	const { navigate } = useShell();
	return (
		<Fold label="Delete">
			{() => (
				<form
					class="fields"
					onSubmit={async (e) => {
						e.preventDefault();
						if (await props.act.run("DELETE", props.path))
							navigate(hrefTo("subscriptions"));
					}}
				>
					<p>
						{props.id} gets nothing any more. {props.backlog > 0 && `${plural(props.backlog, "event")} that still wait will be cancelled.`}
					</p>
					<div class="acts">
						<button type="submit" class="danger" aria-disabled={props.act.busy}>
							Delete it for good
						</button>
					</div>
				</form>
			)}
		</Fold>
	);
}

function Facts(props: { of: Subscription }) {
	const { of: s } = props;
	const rows: [string, ComponentChildren][] = [
		["Where to", <span class="id">{s.url}</span>],
		["Events", <Types of={s.types} />],
		["Backlog", s.backlog ? <Link href={`${hrefTo("deliveries")}?${new URLSearchParams({ system: s.subscription_id })}`}>{plural(s.backlog, "event")}</Link> : "nothing waits"],
		["Last success", s.last_success_at ? dateTime(s.last_success_at) : "none since the start"],
		["Last failure", s.last_failure_at ? `${dateTime(s.last_failure_at)}: ${s.last_failure ?? ""}` : "none since the start"],
	];
	if (s.failing_since)
		rows.push(["All attempts fail since", dateTime(s.failing_since)]);
	if (s.next_attempt_at)
		rows.push(["Next attempt", dateTime(s.next_attempt_at)]);
	if (s.replay)
		rows.push(["Replay, still to be queued", `events after ${count(s.replay.after)} up to ${count(s.replay.through)}`]);
	for (const k of s.keys)
		rows.push([k.valid_until ? `Old key, until ${dateTime(k.valid_until)}` : "Signed with", k.public_key ? <span class="id">{k.public_key}</span> : "a shared secret (HMAC-SHA256)"]);
	return (
		<dl class="facts">
			{rows.map(([name, value]) => (
				<div key={name}>
					<dt>{name}</dt>
					<dd>{value}</dd>
				</div>
			))}
		</dl>
	);
}

export function SubscriptionPage(props: { id: string }) {
	const path = `/v1/subscriptions/${encodeURIComponent(props.id)}`;
	const { data: s, error, again } = useGet<Subscription>(path, 2000);
	const act = useAct(again);
	const [secret, setSecret] = useState<string>();
	const [test, setTest] = useState<string>();
	if (!s)
		return error ? <Failure error={error} again={again} /> : <Loading />;
	return (
		<>
			<Heading
				title={s.subscription_id}
				lead={
					<>
						<Standing of={s} /> {!s.enabled && s.reason}
					</>
				}
			>
				Subscription <span class="dim">{s.subscription_id}</span>
			</Heading>
			{error && <Failure error={error} />}
			{secret && <Once label="The new secret. It is shown this once." text={secret} done={() => setSecret(undefined)} />}
			<Facts of={s} />
			<div class="acts">
				<button
					type="button"
					aria-disabled={act.busy}
					disabled={!s.enabled}
					onClick={async () => {
						const sent = await act.tell<{ delivery_id: string }>("POST", `${path}/test`);
						setTest(sent?.delivery_id);
					}}
				>
					Send a test event
				</button>
				<button type="button" aria-disabled={act.busy} onClick={() => void act.run("PATCH", path, { enabled: !s.enabled })}>
					{s.enabled ? "Disable" : "Enable"}
				</button>
				{s.enabled && <Replay path={path} act={act} />}
				<Rotate path={path} act={act} secret={setSecret} />
				<Delete id={s.subscription_id} backlog={s.backlog} path={path} act={act} />
			</div>
			<ActFailure act={act} />
			{test && <Tested key={test} id={test} />}
			<h2>Deliveries</h2>
			<List<Delivery>
				path="/v1/deliveries"
				values={{ system: s.subscription_id }}
				caption="Deliveries, the newest first"
				columns={["Made", "What", "Status", "#Attempts", "Reason"]}
				keyOf={(d) => d.delivery_id}
				empty="Nothing has been sent yet."
				row={(d) => (
					<>
						<td class="whole">
							<Link href={hrefTo("deliveries", d.delivery_id)}>{dateTime(d.created_at)}</Link>
						</td>
						<td>{d.operation === "event.replay" ? "Event, again" : "Event"}</td>
						<td>
							<Status of={d.status} />
						</td>
						<td class="number">{d.attempts_made}</td>
						<td>{d.reason}</td>
					</>
				)}
			/>
		</>
	);
}
