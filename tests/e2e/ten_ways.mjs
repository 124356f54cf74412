/*
 * Crossdock behind the interface that the scenarios of ten_ways.test.mjs are written against; naive.mjs has the other side.
 * Quantities are whole numbers here. lines are {sku: quantity}, or [{sku, quantity, location?}] where a place or the same item
 * twice matters.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { inState, order, shipment, until, world } from "./harness.mjs";

const now = () => new Date().toISOString();
const ON_HAND = ["free", "held", "allocated", "picked", "quarantined", "damaged"];

export class Crossdock {
	static async start(t) {
		const w = new Crossdock();
		Object.assign(w, await world(t, ["shop", "portal", "erp", "wms"]));
		w.orders = [];
		w.holds = [];
		w.sent = new Map(); /* shipments by their id */
		w.shop.handler = (r) => w.#shop(r);
		w.shown = { shop: new Map(), portal: new Map() };
		w.versions = new Map();
		w.portal.handler = (r) => w.#keep("portal", r);
		return w;
	}

	/* A shop as the contract wants it: older versions are ignored, a number whose `expected` is not what it shows is refused. */
	#shop(r) {
		if (this.away)
			return { status: 503, headers: { "retry-after": "1" } };
		return this.#keep("shop", r);
	}

	#keep(channel, r) {
		if (r.method !== "POST" || r.path !== "/availability")
			return undefined;
		const stale = [];
		const shown = this.shown[channel];
		for (const { sku, available, version, expected } of r.json.items) {
			const key = `${channel} ${sku}`;
			if (version <= (this.versions.get(key) ?? -1))
				continue;
			if (expected !== undefined && shown.has(sku) && Number(expected) !== shown.get(sku)) {
				stale.push({ sku, available: String(shown.get(sku)) });
				continue;
			}
			this.versions.set(key, version);
			shown.set(sku, Number(available));
		}
		return { status: 200, body: { stale } };
	}

	/* ---- what happens in the warehouse ---- */

	async #move(type, lines, { location = "east", id = randomUUID(), at = now() } = {}) {
		(await this.hub.post("/v1/stock/movements", {
			source: "wms", source_event_id: id, type, occurred_at: at,
			lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, location, quantity: String(quantity) })),
		})).expect(200);
	}

	count(lines, more) {
		return this.#move("count", lines, more);
	}

	move(type, lines, more) {
		return this.#move(type, lines, more);
	}

	async kit(sku, parts) {
		(await this.hub.push("erp", "item", { sku, kind: "kit", components: Object.entries(parts).map(([part, n]) => ({ sku: part, quantity: String(n) })) })).expect(202);
		await until(`${sku} is known`, async () => (await this.hub.events(0, "item.recorded")).some((e) => e.data.id === sku));
	}

	/* ---- what is sold ---- */

	async reserve(lines, channel = "shop") {
		const answer = await this.hub.post("/v1/reservations", { channel, lines: lines.map((l) => ({ ...l, quantity: String(l.quantity) })) });
		if (answer.status === 409) {
			answer.expect(409, "insufficient_stock");
			return null;
		}
		const { reservation_id } = answer.expect(201).json;
		this.holds.push(reservation_id);
		return reservation_id;
	}

	async release(id) {
		(await this.hub.call("DELETE", `/v1/reservations/${id}`)).expect(200);
	}

	static #document(lines, changes) {
		return order({}, { lines: lines.map(({ sku, quantity }, i) => ({ line_id: String(i + 1), sku, quantity: String(quantity), uom: "EA", unit_price: "1.00" })), ...changes });
	}

	async #capture(document) {
		const { order_id } = await this.hub.capture(document);
		this.orders.push(order_id);
		return order_id;
	}

	order(lines) {
		return this.#capture(Crossdock.#document(lines));
	}

	orderWith(externalId, lines) {
		return this.#capture(Crossdock.#document(lines, { external_id: externalId }));
	}

	/* The shop calls the API and sends its webhook, twice, all at once. */
	async hears(lines) {
		const document = Crossdock.#document(lines);
		const webhook = async () => (await this.hub.push("shop", "order", document)).expect(202);
		await Promise.all([this.#capture(document), webhook(), webhook()]);
	}

	async decided(id) {
		const decided = await until("the order is decided", async () => {
			const o = await this.hub.order(id);
			return o.status !== "captured" && o;
		});
		return decided.lines.map((l) => ({ sku: l.sku, allocated: Number(l.ordered) - Number(l.backordered), backordered: Number(l.backordered) }));
	}

	async cancel(id) {
		(await this.hub.post(`/v1/orders/${id}/cancel`)).expect(200);
	}

	/* As often as it is told under one shipment_id, it is the same message. */
	async ship(id, lines, { shipment_id = randomUUID() } = {}) {
		if (!this.sent.has(shipment_id)) {
			const o = await until("it can be shipped", async () => {
				const found = await this.hub.order(id);
				return ["released", "partially_shipped"].includes(found.status) && found;
			});
			const line = ([sku, quantity]) => ({ line_id: o.lines.find((l) => l.sku === sku).line_id, sku, location: "east", quantity: String(quantity) });
			this.sent.set(shipment_id, shipment(id, {}, { shipment_id, lines: Object.entries(lines).map(line) }));
		}
		(await this.hub.push("wms", "shipment", this.sent.get(shipment_id))).expect(202);
	}

	/* ---- the systems around it ---- */

	async erpIsAway() {
		this.erp.handler = () => ({ status: 503, headers: { "retry-after": "1" } });
	}

	/* The ERP will never take this order. */
	async refuses(externalId) {
		this.erp.handler = (r) => (r.path === "/orders" && r.json?.external_id === externalId ? { status: 422, body: { detail: "no such customer" } } : undefined);
	}

	async reached() {
		const posted = this.erp.of("/orders").filter((r) => r.method === "POST");
		return posted.map((r) => r.json.external_id);
	}

	async shopIsAway(away) {
		this.away = away;
	}

	async shows(channel, sku) {
		return this.shown[channel].get(sku);
	}

	async sellsUnheard(sku, quantity) {
		this.shown.shop.set(sku, this.shown.shop.get(sku) - quantity);
	}

	/*
	 * Whoever polls a source for Crossdock gives it all of the window again each time: what was seen has no effect. A row that is
	 * not right is answered by itself; it comes again with the next poll.
	 */
	async poll(rows) {
		const items = rows.map((r) => ({
			source: "wms", source_event_id: r.id, type: "receive", occurred_at: r.at,
			lines: [{ sku: r.sku, location: "east", quantity: r.broken ? "many" : String(r.quantity) }],
		}));
		const answers = (await this.hub.post("/v1/stock/movements", { items })).expect(200).json.items;
		for (const [i, r] of rows.entries())
			assert.equal(answers[i].status ?? 200, r.broken ? 422 : 200, JSON.stringify(answers[i]));
	}

	/* ---- looking ---- */

	async available(channel, sku) {
		return Number(await this.hub.available(channel, sku));
	}

	async at(sku, location, state) {
		const stock = await this.hub.stock(sku);
		return inState({ positions: stock.positions.filter((p) => p.location === location) }, state);
	}

	/* What GET /v1/stock says, and what comes out of the movements, the reservations and the orders. */
	async books(sku) {
		const stock = await this.hub.stock(sku);
		let onHand = 0;
		for (let cursor = ""; cursor !== null;) {
			const page = await this.hub.read(`/v1/stock/${sku}/movements?limit=100${cursor && `&cursor=${cursor}`}`);
			for (const e of page.items.flatMap((m) => m.entries))
				onHand += (ON_HAND.includes(e.to) - ON_HAND.includes(e.from)) * Number(e.quantity ?? 0);
			cursor = page.next_cursor;
		}
		let taken = 0;
		for (const id of this.holds) {
			const r = await this.hub.read(`/v1/reservations/${id}`);
			if (r.status === "held")
				taken += r.lines.filter((l) => l.sku === sku).reduce((sum, l) => sum + Number(l.quantity), 0);
		}
		for (const id of this.orders) {
			const o = await this.hub.order(id);
			for (const l of o.lines.filter((x) => x.sku === sku && o.status !== "cancelled"))
				taken += Number(l.ordered) - Number(l.backordered) - Number(l.shipped ?? 0);
		}
		const said = (states) => states.reduce((sum, s) => sum + inState(stock, s), 0);
		return { said: { onHand: said(ON_HAND), taken: said(["held", "allocated", "picked"]) }, records: { onHand, taken } };
	}

	/* As after a power cut. */
	async restart() {
		await this.hub.kill();
		await this.hub.start();
	}

	until(what, look) {
		return until(what, look);
	}

	finally() {
		return this.hub.audit();
	}
}
