/*
 * The server is killed again and again while it delivers to fifty destinations, half of which are bad. Nothing is lost; what comes to a
 * receiver again has the same id and was under way when the server died.
 *
 *     CROSSDOCK=build/dev/crossdock node --test tests/crash/destinations.test.mjs
 *
 * When it dies is a request at a receiver, chosen from a seed (CRASH_SEED) that is printed. The same again over a PostgreSQL
 * of its own, with fewer kills.
 */
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { round, settle, world } from "../e2e/destinations.mjs";
import { postgres, until } from "../e2e/harness.mjs";

async function killed(t, store, kills) {
	const seed = Number(process.env.CRASH_SEED ?? randomInt(1 << 30));
	console.log(`CRASH_SEED=${seed}`);
	let state = seed;
	const random = (n) => Math.floor(((state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 0x80000000) * n);
	const { hub, erp, wms, channels, calm } = await world(t, store);
	let left = 0, died;
	const watch = (peer) => {
		const usual = peer.handler;
		peer.handler = (r) => {
			if (left > 0 && --left === 0)
				died = hub.kill().then(() => true);
			return usual?.(r);
		};
	};
	for (const peer of [erp, wms, ...channels.map((c) => c.peer)])
		watch(peer);
	await hub.count({ A: "100000" });
	const orders = [];
	for (let i = 0; i < kills; i++) {
		died = undefined;
		left = 1 + random(150);
		const taken = round(hub, channels); /* goes on over the death */
		await until("the server dies", () => died);
		/* What it sent before it died has been read then. */
		await until("no connection is left", () => channels.every((c) => c.peer.sockets.size === 0));
		for (const c of channels)
			(c.kills ??= []).push(c.peer.log.length);
		await hub.start();
		orders.push(...(await taken));
	}
	for (const o of orders)
		await hub.orderIs(o.order_id, "shipped");
	await settle({ hub, channels, calm });
}

const name = "killed while it delivers, it loses nothing and repeats only what was under way";

test(name, { timeout: 600_000 }, (t) => killed(t, "sqlite", 8));

test(`PostgreSQL: ${name}`, { timeout: 600_000 }, async (t) => killed(t, `"${await postgres(t)}"`, 4));
