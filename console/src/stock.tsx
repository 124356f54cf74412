/* An item's stock by place, where its serial numbers are, and the history of one of them. */
import { useState } from "preact/hooks";
import { dateTime, isZero, quantity, words } from "./format.ts";
import { hrefTo } from "./route.ts";
import type { Position, Serial, SerialMove, SerialPage as OneSerial, Stock } from "./types.ts";
import { Empty, Failure, Heading, Link, List, Loading, Status, Table, useGet, useShell } from "./ui.tsx";

const pathOf = (sku: string) => `/v1/stock/${encodeURIComponent(sku)}`;

export function FindStockPage() {
	const { navigate } = useShell();
	return (
		<>
			<Heading title="Stock">Stock</Heading>
			<form
				class="filter"
				role="search"
				aria-label="Find an item"
				onSubmit={(e) => {
					e.preventDefault();
					const sku = String(new FormData(e.currentTarget).get("sku") ?? "").trim();
					if (sku)
						navigate(hrefTo("stock", sku));
				}}
			>
				<label>
					SKU
					<input type="search" name="sku" required autocomplete="off" spellcheck={false} />
				</label>
				<button type="submit">Show</button>
			</form>
			<Empty>An item's page has its stock by location, and where each of its serial numbers is.</Empty>
		</>
	);
}

/* ---- an item ---- */

function Positions(props: { of: Stock }) {
	const { positions } = props.of;
	const states = [...new Set(positions.flatMap((p) => Object.keys(p.states)))].filter((s) => s === "free" || positions.some((p) => !isZero(p.states[s])));
	const some = (of: "lot" | "owner") => positions.some((p) => p[of]);
	const row = (p: Position) => (
		<tr key={JSON.stringify([p.location, p.lot, p.owner])}>
			<td>{p.location}</td>
			{some("lot") && <td>{p.lot}</td>}
			{some("owner") && <td>{p.owner}</td>}
			<td class="number">{quantity(p.on_hand)}</td>
			{states.map((s) => (
				<td key={s} class={isZero(p.states[s]) ? "number dim" : "number"}>
					{quantity(p.states[s])}
				</td>
			))}
		</tr>
	);
	if (positions.length === 0)
		return <Empty>Nothing of it has been anywhere yet.</Empty>;
	return (
		<Table caption="Positions" columns={["Location", ...(some("lot") ? ["Lot"] : []), ...(some("owner") ? ["Owner"] : []), "#On hand", ...states.map((s) => `#${words(s)}`)]}>
			{positions.map(row)}
		</Table>
	);
}

const states = ["in_stock", "quarantined", "picked", "returned", "in_transit", "shipped", "scrapped", "unknown"];

function Place(props: { of: Serial | SerialMove["after"] }) {
	const { location, lot, owner } = props.of;
	return (
		<>
			{location}
			{lot && <span class="dim"> lot {lot}</span>}
			{owner && <span class="dim"> of {owner}</span>}
		</>
	);
}

function OrderLink(props: { id: string | undefined }) {
	return props.id ? (
		<Link href={hrefTo("orders", props.id)} class="id">
			{props.id}
		</Link>
	) : null;
}

function Serials(props: { sku: string }) {
	const [state, setState] = useState("");
	const [serial, setSerial] = useState("");
	return (
		<section aria-labelledby="serials">
			<div class="title">
				<h2 id="serials">Serial numbers</h2>
				<div class="chips" role="group" aria-label="In which state">
					{["", ...states].map((s) => (
						<button type="button" key={s} aria-pressed={state === s} onClick={() => setState(s)}>
							{s ? words(s) : "All"}
						</button>
					))}
				</div>
			</div>
			<form
				class="filter"
				role="search"
				aria-label="Find a serial number"
				onSubmit={(e) => {
					e.preventDefault();
					setSerial(String(new FormData(e.currentTarget).get("serial") ?? "").trim());
				}}
			>
				<label>
					The whole number
					<input type="search" name="serial" autocomplete="off" spellcheck={false} />
				</label>
				<button type="submit">Find</button>
			</form>
			<List<Serial>
				key={`${state} ${serial}`}
				path={`${pathOf(props.sku)}/serials`}
				values={{ state, serial }}
				caption="Serial numbers"
				columns={["Number", "Where", "State", "Since", "Order"]}
				keyOf={(s) => s.serial}
				empty={state || serial ? "No serial number of this item fits." : "No movement has named a serial number of this item."}
				row={(s) => (
					<>
						<td>
							<Link href={hrefTo("stock", props.sku, s.serial)}>{s.serial}</Link>
						</td>
						<td>
							<Place of={s} />
						</td>
						<td>
							<Status of={s.state} />
						</td>
						<td class="whole">{s.occurred_at && dateTime(s.occurred_at)}</td>
						<td>
							<OrderLink id={s.order_id} />
						</td>
					</>
				)}
			/>
		</section>
	);
}

export function StockPage(props: { sku: string }) {
	const { data: s, error, again } = useGet<Stock>(pathOf(props.sku), 5000);
	return (
		<>
			<Heading
				title={`Stock of ${props.sku}`}
				lead={
					s && (
						<>
							{quantity(s.on_hand)} {s.uom} on hand
						</>
					)
				}
			>
				Stock of {props.sku}
			</Heading>
			{error && <Failure error={error} again={again} />}
			{!s && !error && <Loading />}
			{s && (
				<section aria-labelledby="positions">
					<h2 id="positions">By location</h2>
					<Positions of={s} />
				</section>
			)}
			{s && <Serials sku={s.sku} />}
		</>
	);
}

/* ---- one serial number ---- */

function Remark(props: { of: SerialMove }) {
	const { late, taken_back } = props.of;
	return (
		<>
			{late && <span class="status warn whole">Told late</span>} {taken_back && <span class="status plain whole">Taken back</span>}
		</>
	);
}

export function SerialPage(props: { sku: string; serial: string }) {
	const path = `${pathOf(props.sku)}/serials/${encodeURIComponent(props.serial)}`;
	const { data: s, error, again } = useGet<OneSerial>(`${path}?limit=1`, 5000);
	if (!s)
		return error ? <Failure error={error} again={again} /> : <Loading />;
	return (
		<>
			<Heading title={`Serial number ${s.serial}`} lead={<Status of={s.state} />}>
				Serial number {s.serial}
			</Heading>
			{error && <Failure error={error} />}
			<dl class="facts">
				<div>
					<dt>Item</dt>
					<dd>
						<Link href={hrefTo("stock", s.sku)}>{s.sku}</Link>
					</dd>
				</div>
				{s.location && (
					<div>
						<dt>{s.state === "shipped" || s.state === "scrapped" || s.state === "unknown" ? "Last at" : "At"}</dt>
						<dd>
							<Place of={s} />
						</dd>
					</div>
				)}
				{s.occurred_at && (
					<div>
						<dt>Since</dt>
						<dd>{dateTime(s.occurred_at)}</dd>
					</div>
				)}
				{s.order_id && (
					<div>
						<dt>Order</dt>
						<dd>
							<OrderLink id={s.order_id} />
						</dd>
					</div>
				)}
			</dl>
			<section aria-labelledby="history">
				<h2 id="history">History</h2>
				<List<SerialMove>
					path={path}
					field="history"
					values={{}}
					caption="Movements that named it, the newest first"
					columns={["Happened", "Movement", "State after", "Where", "Source", "Told", "Correlation id"]}
					keyOf={(m) => m.movement_id}
					empty="No movement names it any more."
					row={(m) => (
						<>
							<td class="whole">{dateTime(m.occurred_at)}</td>
							<td>
								{words(m.type)} <Remark of={m} /> {m.reason && <span class="dim">{m.reason}</span>}
							</td>
							<td>
								<Status of={m.after.state} />
							</td>
							<td>
								<Place of={m.after} />
							</td>
							<td>
								{m.source} {m.source_event_id && <span class="dim">{m.source_event_id}</span>}
							</td>
							<td class="whole">{dateTime(m.at)}</td>
							<td class="id whole">
								<Link href={hrefTo("trace", m.correlation_id)}>{m.correlation_id}</Link>
							</td>
						</>
					)}
				/>
			</section>
		</>
	);
}
