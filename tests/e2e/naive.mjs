/*
 * What is usually written first: stock as counters, without transactions, ids, instants or places that are taken seriously. Each
 * habit in it is one that went wrong in public (the issue is named beside it), so a scenario of ten_ways.test.mjs that it passes
 * tests nothing. The same interface as Crossdock has in ten_ways.mjs; in this process, a turn of the event loop for each trip to
 * a database.
 */
import assert from "node:assert/strict";

const trip = () => new Promise((done) => setImmediate(done));
const FIRST = "east";
const SAFETY = { west: 2 };

export class Naive {
	onHand = new Map(); /* "sku@location": a counter */
	reserved = new Map(); /* likewise, kept beside the rows (odoo #62139, medusa #16569) */
	rows = new Map(); /* reservations and orders: id -> {lines: [{sku, location, quantity}]} */
	moved = []; /* the journal */
	shown = { shop: new Map(), portal: new Map() };
	queue = []; /* to the ERP, in order */
	posted = [];
	poison = new Set();
	watermark = "";
	away = false;
	last = 0;

	/* A read, a trip, a write: whoever comes between is overwritten. */
	async #add(counter, sku, location, quantity) {
		const key = `${sku}@${location}`;
		const old = counter.get(key) ?? 0;
		await trip();
		counter.set(key, old + quantity);
	}

	#sum(counter, sku) {
		return ["east", "west"].reduce((sum, location) => sum + (counter.get(`${sku}@${location}`) ?? 0), 0);
	}

	#total(sku) {
		return this.#sum(this.onHand, sku) - this.#sum(this.reserved, sku);
	}

	/* ---- what happens in the warehouse ---- */

	/* An absolute number is the number (woocommerce_fusion #170, WooCommerceConnector #41); the newest to arrive wins. */
	async count(lines, { location = FIRST } = {}) {
		for (const [sku, quantity] of Object.entries(lines)) {
			await trip();
			this.onHand.set(`${sku}@${location}`, quantity);
			this.reserved.set(`${sku}@${location}`, 0);
			this.moved.push({ sku, location, count: quantity });
		}
		this.#publish();
	}

	/* The id is not looked at (shopify-app-js #603). */
	async move(type, lines, { location = FIRST } = {}) {
		for (const [sku, quantity] of Object.entries(lines)) {
			const signed = type === "ship" ? -quantity : quantity;
			this.moved.push({ sku, location, quantity: signed });
			await this.#add(this.onHand, sku, location, signed);
		}
		this.#publish();
	}

	/* So many can be made of what is there: a counter of its own from then on (magento inventory #1246). */
	async kit(sku, parts) {
		await this.count({ [sku]: Math.min(...Object.entries(parts).map(([part, n]) => Math.floor(this.#total(part) / n))) });
	}

	/* ---- what is sold ---- */

	/* Is there enough? Each line asks for itself (medusa #16502), about all places together (medusa #14987). */
	async reserve(lines) {
		const taken = [];
		for (const line of lines) {
			const enough = this.#total(line.sku) >= line.quantity;
			await trip(); /* the last unit is still there for everybody (magento2 #25653) */
			if (!enough)
				return null; /* what the lines before it took stays taken (medusa #13625) */
			taken.push({ ...line, location: FIRST });
			await this.#add(this.reserved, line.sku, FIRST, line.quantity);
		}
		const id = `r${++this.last}`;
		this.rows.set(id, { lines: taken });
		return id;
	}

	async order(lines) {
		const id = `o${++this.last}`; /* the channel's own id is a field like others (woocommerce #38786) */
		const taken = [];
		for (const line of lines) {
			const there = Math.max(0, this.#total(line.sku));
			await trip();
			const quantity = Math.min(there, line.quantity);
			taken.push({ sku: line.sku, location: FIRST, quantity, asked: line.quantity });
		}
		for (const l of taken)
			await this.#add(this.reserved, l.sku, l.location, l.quantity);
		this.rows.set(id, { lines: taken });
		this.queue.push(id);
		this.#publish();
		return id;
	}

	async hears(lines) {
		await this.order(lines);
		await this.order(lines);
	}

	async decided(id) {
		return this.rows.get(id).lines.map((l) => ({ sku: l.sku, allocated: l.quantity, backordered: l.asked - l.quantity }));
	}

	/* Gives back to the first place, whatever was taken where, as often as it is told to (medusa #11703). */
	async cancel(id) {
		for (const l of this.rows.get(id).lines)
			await this.#add(this.onHand, l.sku, FIRST, l.quantity);
	}

	release(id) {
		return this.cancel(id);
	}

	/* A shipment ends the reservation, so it must be all of it. */
	async ship(id, lines) {
		const row = this.rows.get(id);
		for (const [sku, quantity] of Object.entries(lines)) {
			const line = row.lines.find((l) => l.sku === sku);
			this.moved.push({ sku, location: line.location, quantity: -quantity });
			await this.#add(this.onHand, sku, line.location, -quantity);
			await this.#add(this.reserved, sku, line.location, -line.asked);
			line.quantity -= quantity;
		}
		this.#publish();
	}

	/* ---- the systems around it ---- */

	async erpIsAway() {}

	async refuses(externalId) {
		this.poison.add(externalId);
	}

	async orderWith(externalId, lines) {
		const id = await this.order(lines);
		this.rows.get(id).external = externalId;
		return id;
	}

	/* What cannot be sent is tried again before anything else is (selling-partner-api-models #2633). */
	#post() {
		while (this.queue.length && !this.poison.has(this.rows.get(this.queue[0]).external))
			this.posted.push(this.rows.get(this.queue.shift()).external);
	}

	async reached() {
		this.#post();
		return this.posted;
	}

	/* Absolute numbers of what there is, sent once; what there is none of is not in the feed. */
	#publish() {
		for (const key of this.onHand.keys()) {
			const [sku] = key.split("@");
			const there = this.#total(sku);
			for (const shown of Object.values(this.shown))
				if (there > 0 && !this.away)
					shown.set(sku, there);
		}
	}

	async shopIsAway(away) {
		this.away = away;
	}

	async shows(channel, sku) {
		return this.shown[channel].get(sku);
	}

	/* The shop has sold some, and will say so later. */
	async sellsUnheard(sku, quantity) {
		this.shown.shop.set(sku, this.shown.shop.get(sku) - quantity);
	}

	/* What is newer than the newest that was seen (magento2 #40803); a page that fails is logged. */
	async poll(rows) {
		const fresh = rows.filter((r) => r.at > this.watermark).sort((a, b) => (a.at < b.at ? -1 : 1));
		for (let i = 0; i < fresh.length; i += 2) {
			const page = fresh.slice(i, i + 2);
			if (!page.some((r) => r.broken))
				for (const r of page)
					await this.move("receive", { [r.sku]: r.quantity });
			this.watermark = page.at(-1).at;
		}
	}

	/* ---- looking ---- */

	async available(channel, sku) {
		return Math.max(0, this.#total(sku) - (channel === "shop" && this.onHand.has(`${sku}@west`) ? SAFETY.west : 0));
	}

	async at(sku, location, state) {
		const key = `${sku}@${location}`;
		const allocated = this.reserved.get(key) ?? 0;
		return state === "free" ? (this.onHand.get(key) ?? 0) - allocated : allocated;
	}

	/* What is said, and what comes out of the records. */
	async books(sku) {
		const open = [...this.rows.values()].flatMap((r) => r.lines).filter((l) => l.sku === sku);
		const journal = this.moved.filter((m) => m.sku === sku).reduce((sum, m) => m.count ?? sum + m.quantity, 0);
		return {
			said: { onHand: this.#sum(this.onHand, sku), taken: this.#sum(this.reserved, sku) },
			records: { onHand: journal, taken: open.reduce((sum, l) => sum + l.quantity, 0) },
		};
	}

	async restart() {}

	/* Nothing changes any more: what is not so now will not be. */
	async until(what, look) {
		for (let i = 0; i < 3; i++) {
			await trip();
			this.#post();
		}
		assert.ok(await look(), what);
	}

	async finally() {}
}
