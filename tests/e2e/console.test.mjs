/*
 * The console in a real browser. With CROSSDOCK_SCREENSHOT set it also writes docs/console.png, from a server that has been
 * busy for a while with the sandbox systems.
 */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { spawnSync } from "node:child_process";
import { Webhook } from "standardwebhooks";
import { browse, press, shoot } from "./browser.mjs";
import { createKey, folder, order, Peer, root, shipment, shipsAtOnce, until, world } from "./harness.mjs";

before(() => {
	const { status, stderr } = spawnSync(process.execPath, [join(root, "console/build.mjs")], { encoding: "utf8" });
	assert.equal(status, 0, stderr);
});

const figure = (page, step) => page.locator(`[data-step=${step}] .figure`).innerText();

test("signs in by the address, and shows what happens as it happens", async (t) => {
	const { hub, shop } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "100" });
	const { page, complaints } = await browse(t, hub);
	const operator = createKey(hub.dir, { scopes: "operate,orders:read,events:read" });
	await page.goto(`${hub.url}/#key=${operator}`);
	await page.waitForURL(`${hub.url}/console/**`);
	await page.getByRole("heading", { name: "Overview" }).waitFor();
	assert.ok(!page.url().includes("key"), page.url());
	assert.equal(await figure(page, "captured"), "0");
	assert.equal(await page.locator("[data-figure=oversold]").innerText(), "0");
	for (const name of ["shop", "erp", "wms"])
		await page.locator(`[data-system=${name}]`).waitFor();
	await page.getByText("Live", { exact: true }).waitFor();

	const sent = order({ A: "3" });
	const o = await hub.capture(sent);
	await hub.orderIs(o.order_id, "released");
	await until("the figures follow", async () => (await figure(page, "captured")) === "1" && (await figure(page, "released")) === "1");
	await page.locator(".tail").getByText("order.captured").first().waitFor();
	(await hub.push("wms", "shipment", shipment(o.order_id, { A: "3" }))).expect(202);
	await until("it is shipped", async () => (await figure(page, "shipped")) === "1");
	await until("the shop is told", () => shop.of("/shipments").length === 1);

	/* found by the channel's number, with its lines and its timeline */
	await page.getByPlaceholder("Find an order").fill(sent.external_id);
	await page.keyboard.press("Enter");
	await page.getByRole("link", { name: sent.external_id }).click();
	await page.getByRole("heading", { name: `Order ${sent.external_id}` }).waitFor();
	const cells = await page.locator("section[aria-labelledby=lines] tbody tr td").allInnerTexts();
	assert.deepEqual(cells.slice(0, 4), ["1", "A", "Shipped", "3"]);
	const steps = page.locator(".steps li");
	for (const text of ["Order captured", "Order accepted", "Order released", "Order shipped"])
		await steps.filter({ hasText: text }).first().waitFor();
	assert.ok((await steps.filter({ hasText: /erp.*HTTP 201/ }).count()) > 0);

	await page.getByRole("link", { name: o.correlation_id }).click();
	await page.getByRole("heading", { name: "Trace" }).waitFor();
	await steps.filter({ hasText: "Order captured" }).first().waitFor();
	await page.goBack();
	await page.getByRole("heading", { name: `Order ${sent.external_id}` }).waitFor();

	/* the key is this tab's, and a page can be loaded again */
	await page.reload();
	await page.getByRole("heading", { name: `Order ${sent.external_id}` }).waitFor();
	assert.equal(await page.evaluate(() => localStorage.length), 0);
	await page.getByRole("button", { name: "Sign out" }).click();
	await page.getByLabel("API key").waitFor();
	assert.equal(await page.evaluate(() => sessionStorage.length), 0);
	assert.deepEqual(complaints, []);
});

test("shows what needs a person", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "1" });
	erp.handler = (r) => (r.path === "/orders" ? { status: 404, body: { detail: "No such path." } } : undefined);
	const sent = order({ A: "5" });
	await hub.capture(sent);
	(await hub.push("shop", "order", "<order/>")).expect(202);
	await until("two dead letters", async () => (await hub.read("/v1/overview")).dead_letters_open === 2);
	const { page, complaints } = await browse(t, hub, { colorScheme: "dark", viewport: { width: 390, height: 800 } });
	await page.goto(`${hub.url}/console/#key=${hub.key}`);
	await page.getByRole("heading", { name: "Overview" }).waitFor();
	/* nothing sticks out of a narrow screen */
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "it scrolls sideways");
	await page.locator("[data-system=erp]").getByText("1 dead letter").waitFor();
	await page.locator("[data-system=erp]").getByText("1 configuration").waitFor();
	await page.getByRole("navigation").getByRole("link", { name: /Exceptions/ }).click();
	await page.getByText("the rest is backordered").first().waitFor();
	await page.getByRole("navigation").getByRole("link", { name: /Dead letters/ }).click();
	await until("both are listed", async () => (await page.locator("tbody tr").count()) === 2);
	await page.locator("tbody tr", { hasText: "Message" }).getByRole("link").first().click();
	await page.getByText("<order/>").waitFor();
	await page.goto(`${hub.url}/console/orders/unheard-of`);
	await page.getByText("There is no such order.").waitFor();
	assert.deepEqual(complaints.filter((c) => !c.includes("404")), []);
});

test("shows a system that is away, and that it is back", async (t) => {
	const { hub, erp } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "10" });
	await erp.stop();
	await hub.capture(order({ A: "1" }));
	const { page, complaints } = await browse(t, hub);
	await page.goto(`${hub.url}/console/#key=${hub.key}`);
	const card = page.locator("[data-system=erp]");
	await card.locator(".health").filter({ hasText: /Failing|Trying again/ }).waitFor();
	await card.getByText(/next attempt/).waitFor();
	await erp.again();
	await card.getByText("Up to date").waitFor();
	await page.locator("[data-step=released] .figure").filter({ hasText: "1" }).waitFor();
	assert.deepEqual(complaints, []);
});

test("asks for a key that works, and says when the server is away", async (t) => {
	const { hub } = await world(t, ["shop", "wms"]);
	const { page, complaints } = await browse(t, hub);
	await page.goto(`${hub.url}/console/`);
	await page.getByLabel("API key").fill("something");
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.getByText("A key begins with cd_").waitFor();
	await page.getByLabel("API key").fill(`cd_acme_${"x".repeat(43)}`);
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.getByRole("alert").filter({ hasText: /key/ }).waitFor();
	await page.getByLabel("API key").fill(hub.key);
	await page.keyboard.press("Enter");
	await page.getByRole("heading", { name: "Overview" }).waitFor();
	const port = new URL(hub.url).port;
	await hub.stop();
	await page.getByText("Crossdock does not answer").first().waitFor();
	await hub.start(`127.0.0.1:${port}`);
	await until("it is there again", async () => (await page.getByText("Crossdock does not answer").count()) === 0);
	await page.getByText("Live", { exact: true }).waitFor();
	assert.deepEqual(complaints.filter((c) => !/401|ERR_|Failed to load/.test(c)), []);
});

test("every control can be reached and named without a mouse", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	const { page } = await browse(t, hub);
	await page.goto(`${hub.url}/console/#key=${hub.key}`);
	await page.locator("[data-system=wms]").waitFor();
	const nameless = await page.evaluate(() =>
		[...document.querySelectorAll("a, button, input, select")].filter((e) => !(e.innerText?.trim() || e.getAttribute("aria-label") || e.labels?.length)).map((e) => e.outerHTML));
	assert.deepEqual(nameless, []);
	await page.keyboard.press("Tab");
	assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
	const seen = new Set();
	for (let i = 0; i < 40; i++) {
		await page.keyboard.press("Tab");
		seen.add(await page.evaluate(() => document.activeElement.innerText ?? ""));
	}
	for (const wanted of ["Orders", "Trace", "Pause", "Check now"])
		assert.ok(seen.has(wanted), `${wanted} in ${[...seen].join("|")}`);
	await press(page.getByRole("button", { name: "Pause deliveries to erp" }));
	await page.getByRole("button", { name: "Resume deliveries to erp" }).waitFor();
	await press(page.getByRole("button", { name: "Check now" }));
	await page.getByText("All agree").waitFor();
});

test("subscriptions: made, tested, rotated, disabled, replayed and deleted by keyboard", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"], { extra: "webhooks: {allow_private: true, allow_http: true}" });
	const peer = await Peer.start(t, "receiver");
	const arrived = () => peer.of("/hook");
	const { page, complaints } = await browse(t, hub);
	await page.goto(`${hub.url}/console/#key=${hub.key}`);
	await page.getByRole("navigation").getByRole("link", { name: "Subscriptions" }).click();
	await page.getByText("Nobody has subscribed to events.").waitFor();
	/* what is wrong is said */
	await page.getByText("New subscription").press("Enter");
	await page.getByLabel("URL").fill("https://127.0.0.1:22/");
	await page.getByLabel(/^Events/).fill("order.*, stock.*");
	await page.keyboard.press("Enter");
	await page.getByRole("alert").filter({ hasText: "Its port is not allowed" }).waitFor();
	await page.getByLabel("URL").fill(`${peer.url}/hook?token=secret-of-theirs`);
	await page.keyboard.press("Enter");
	const secret = await page.getByLabel(/The secret of sub_1/).inputValue();
	await press(page.getByRole("button", { name: "I have it" }));
	assert.equal(await page.getByText(secret).count(), 0);
	const row = page.locator("tbody tr", { hasText: "sub_1" });
	await row.getByText("Up to date").waitFor();
	assert.ok(!(await row.innerText()).includes("secret-of-theirs"));
	await shoot(page, "subscriptions");

	await row.getByRole("link", { name: "sub_1" }).press("Enter");
	await press(page.getByRole("button", { name: "Send a test event" }));
	await page.getByRole("status").filter({ hasText: /Test event:\s*Delivered\s*HTTP 200/ }).waitFor();
	assert.equal(await page.evaluate(() => document.activeElement.innerText), "Send a test event", "the focus stays");
	new Webhook(secret).verify(arrived()[0].text, arrived()[0].headers);
	await page.getByText("Rotate the secret").press("Enter");
	await press(page.getByRole("button", { name: "Rotate", exact: true }));
	const next = await page.getByLabel(/The new secret/).inputValue();
	await press(page.getByRole("button", { name: "Send a test event" }));
	await until("both sign", () => arrived().length === 2);
	for (const key of [secret, next])
		new Webhook(key).verify(arrived()[1].text, arrived()[1].headers);

	await press(page.getByRole("button", { name: "Disable" }));
	await page.getByText("its owner disabled it").waitFor();
	assert.ok(await page.getByRole("button", { name: "Send a test event" }).isDisabled());
	await hub.count({ A: "5" });
	await press(page.getByRole("button", { name: "Enable" }));
	await page.getByText("Replay", { exact: true }).press("Enter");
	await press(page.getByRole("button", { name: "Send again" }));
	await until("what was missed has come", () => arrived().some((r) => r.json.type.startsWith("stock.") && r.headers["crossdock-replay"] === "true"));
	await page.locator("tbody tr", { hasText: "Event, again" }).first().waitFor();
	await shoot(page, "subscription");
	await page.getByText("Delete", { exact: true }).press("Enter");
	await press(page.getByRole("button", { name: "Delete it for good" }));
	await page.getByText("Nobody has subscribed to events.").waitFor();
	assert.deepEqual(complaints.filter((c) => !c.includes("422")), []);
});

test("a reconciliation: started, followed, its differences in words and as CSV", async (t) => {
	const { hub, wms } = await world(t, ["shop", "erp", "wms"], { rules: { wms: "settle: 0s, tolerance: '1'" } });
	await hub.count({ lost: "10", near: "10.5", good: "4" });
	let answer;
	const asked = new Promise((resolve) => (answer = resolve));
	wms.handler = async (r) => {
		if (r.path !== "/stock-balances")
			return undefined;
		await asked;
		const items = Object.entries({ lost: "7", near: "10", good: "4", nobody: "3" }).map(([sku, quantity]) => ({ sku, location: "east", quantity }));
		return { status: 200, body: { as_of: new Date().toISOString(), items, next_cursor: null } };
	};
	const { page, complaints } = await browse(t, hub);
	await page.goto(`${hub.url}/console/#key=${createKey(hub.dir, { scopes: "operate,orders:read,events:read" })}`);
	await page.getByRole("navigation").getByRole("link", { name: "Reconciliation" }).click();
	await page.getByText("Nothing has been compared yet.").waitFor();
	await page.getByLabel("The balances of").selectOption("wms");
	await page.getByLabel("Differences").selectOption({ label: "are raised as exceptions" });
	await press(page.getByRole("button", { name: "Start" }));
	await page.getByRole("heading", { name: "Reconciliation of wms" }).waitFor();
	await page.getByText("reading the balances").waitFor();
	answer();
	await page.getByText("4 compared, 3 differences").waitFor();
	const cells = async (sku) => (await page.locator("tbody tr", { has: page.getByText(sku, { exact: true }) }).locator("td").allInnerTexts()).slice(0, 8);
	await page.locator("tbody tr").nth(2).waitFor();
	assert.deepEqual(await cells("lost"), ["lost", "east", "", "7", "10", "−3", "A movement is missing on one side", "Raised as an exception"]);
	assert.deepEqual(await cells("near"), ["near", "east", "", "10", "10.5", "−0.5", "A movement is missing on one side", "Within the tolerance"]);
	assert.deepEqual(await cells("nobody"), ["nobody", "east", "", "3", "0", "+3", "Item, location or unit is not known to both", "Raised as an exception"]);
	await shoot(page, "reconciliation");
	const [download] = await Promise.all([page.waitForEvent("download"), press(page.getByRole("button", { name: "Download as CSV" }))]);
	assert.match(download.suggestedFilename(), /^reconciliation-wms-.*\.csv$/);
	assert.equal(readFileSync(await download.path(), "utf8").split("\r\n").length, 1 + 3 + 1);
	await press(page.getByRole("button", { name: "Master data" }));
	await until("one is left", async () => (await page.locator("tbody tr").count()) === 1);
	await page.getByRole("navigation").getByRole("link", { name: "Reconciliation" }).click();
	await page.locator("tbody tr", { hasText: "4 compared, 3 differences" }).waitFor();
	await shoot(page, "reconciliations");
	assert.deepEqual(complaints, []);
});

test("stock: an item's serial numbers by state, page by page, and the history of one", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	(await hub.push("erp", "item", { sku: "TV/1", base_uom: "EA", tracking: "serial" })).expect(202);
	await until("the item is known", async () => (await hub.events(0, "item.recorded")).length > 0);
	let sent = 0;
	const tell = async (type, minute, serials, more = {}) =>
		(await hub.post("/v1/stock/movements", { source: "wms", source_event_id: `n-${++sent}`, type, occurred_at: new Date(Date.UTC(2026, 2, 1, 8, minute)).toISOString(),
			lines: [{ sku: "TV/1", location: "east", quantity: String(serials.length), serials, ...more }] })).expect(200).json;
	const many = Array.from({ length: 60 }, (_, i) => `S/${String(i).padStart(2, "0")}.x`);
	await tell("receive", 1, many);
	const shipped = await tell("ship", 9, ["S/00.x"]);
	await tell("move", 8, ["S/01.x"], { to_location: "west" });
	await tell("quarantine", 5, ["S/00.x"]);

	const { page, complaints } = await browse(t, hub);
	await page.goto(`${hub.url}/console/#key=${createKey(hub.dir, { scopes: "operate,orders:read,events:read,stock:read" })}`);
	await page.getByRole("navigation").getByRole("link", { name: "Stock" }).click();
	await page.getByLabel("SKU").fill("TV/1");
	await page.keyboard.press("Enter");
	await page.getByRole("heading", { name: "Stock of TV/1" }).waitFor();
	const rows = page.locator("section[aria-labelledby=serials] tbody tr");
	await until("a page is listed", async () => (await rows.count()) === 50);
	await press(page.getByRole("button", { name: "Show more" }));
	await until("all are listed", async () => (await rows.count()) === 60);
	assert.deepEqual((await rows.nth(1).locator("td").allInnerTexts()).slice(0, 3), ["S/01.x", "west", "In stock"]);
	await shoot(page, "stock");
	await press(page.getByRole("button", { name: "Shipped" }));
	await until("one is shipped", async () => (await rows.count()) === 1);
	await press(page.getByRole("button", { name: "Scrapped" }));
	await page.getByText("No serial number of this item fits.").waitFor();
	await press(page.getByRole("button", { name: "All" }));
	await page.getByLabel("The whole number").fill("S/00.x");
	await page.keyboard.press("Enter");
	await until("it is found", async () => (await rows.count()) === 1);

	await page.getByRole("link", { name: "S/00.x" }).click();
	await page.getByRole("heading", { name: "Serial number S/00.x" }).waitFor();
	const history = page.locator("section[aria-labelledby=history] tbody tr");
	await until("its history is there", async () => (await history.count()) === 3);
	const cells = await Promise.all([0, 1, 2].map(async (i) => (await history.nth(i).locator("td").allInnerTexts()).map((s) => s.trim())));
	assert.deepEqual(cells.map((c) => [c[1], c[2]]), [["Quarantine Told late", "Quarantined"], ["Ship", "Shipped"], ["Receive", "In stock"]]);
	assert.equal(cells[1][6], shipped.correlation_id);
	for (const [name, options] of [["serial", {}], ["serial-dark", { colorScheme: "dark" }]]) {
		await page.emulateMedia(options);
		await shoot(page, name);
	}
	/* nothing sticks out of a narrow screen */
	await page.setViewportSize({ width: 390, height: 800 });
	for (const name of ["serial-phone", "stock-phone"]) {
		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} scrolls sideways`);
		await shoot(page, name);
		if (name === "serial-phone")
			await page.getByRole("link", { name: "TV/1" }).click();
		await rows.first().waitFor();
	}
	await page.goto(`${hub.url}/console/stock/TV%2F1/unheard-of`);
	await page.getByText("No movement has named this serial number.").waitFor();
	await page.goto(`${hub.url}/console/stock/nothing`);
	await page.getByText("There is no item 'nothing'.").waitFor();
	assert.deepEqual(complaints.filter((c) => !c.includes("404")), []);
});

test("a picture of it", async (t) => {
	const { hub, wms } = await world(t);
	shipsAtOnce(hub, wms);
	const skus = Array.from({ length: 12 }, (_, i) => `85123${String.fromCharCode(65 + i)}`);
	await hub.count(Object.fromEntries(skus.map((sku) => [sku, "5000"])));
	const { page, complaints } = await browse(t, hub, { viewport: { width: 1280, height: 1000 } });
	await page.goto(`${hub.url}/console/#key=${hub.key}`);
	await page.getByRole("heading", { name: "Overview" }).waitFor();
	const wanted = process.env.CROSSDOCK_SCREENSHOT ? 3000 : 20;
	let sent = 0;
	await until("orders have been shipped", async () => {
		const wave = Math.round(4 + 3 * Math.sin(sent / 150));
		for (let i = 0; i < wave && sent < wanted; i++)
			await hub.capture(order({ [skus[sent++ % skus.length]]: String(1 + (sent % 4)) }, { channel: sent % 3 ? "shop" : "portal" }));
		return sent >= wanted && Number((await figure(page, "shipped")).replace(/\D/g, "")) >= wanted;
	}, 240_000);
	await page.getByRole("button", { name: "Check now" }).click();
	await page.getByText("All agree").waitFor();
	const path = process.env.CROSSDOCK_SCREENSHOT ? join(root, "docs/console.png") : join(folder(t), "console.png");
	await page.screenshot({ path });
	const { size } = statSync(path);
	assert.ok(size > 20_000 && size < 200_000, `${size} bytes`);
	assert.deepEqual(complaints, []);
});

test("the console mends and replays with the keyboard", async (t) => {
	const { hub } = await world(t, ["shop", "erp", "wms"]);
	await hub.count({ A: "10" });
	const sent = order({ A: "1" });
	(await hub.push("shop", "order", { ...sent, lines: [{ ...sent.lines[0], quantity: "none" }] })).expect(202);
	const dead = await until("it is a dead letter", async () => (await hub.read("/v1/dead-letters?status=open")).items[0]);
	const { page } = await browse(t, hub, { viewport: { width: 1360, height: 1000 } });
	await page.goto(`${hub.url}/console/dead-letters/${dead.id}#key=${hub.key}`);
	const edited = page.getByLabel("Edited");
	await edited.fill("{");
	await page.getByText("This is not JSON.").waitFor();
	await edited.fill(JSON.stringify({ ...sent, currency: 1 }));
	await press(page.getByRole("button", { name: "Check and keep" }));
	await page.getByLabel("What is wrong").getByText("/currency").waitFor();
	await edited.fill(JSON.stringify(sent));
	await press(page.getByRole("button", { name: "Check and keep" }));
	await page.getByRole("cell", { name: "/lines/0/quantity" }).waitFor();
	await shoot(page, "repair");
	await press(page.getByRole("button", { name: "Replay as edited" }));
	await page.getByText("replayed with the edited payload").waitFor();
	await until("the order is there", async () => (await hub.read(`/v1/orders?external_id=${sent.external_id}`)).items.length === 1);

	const held = await hub.capture(order({ NEW: "1" }));
	await hub.orderIs(held.order_id, "on_hold");
	await page.goto(`${hub.url}/console/exceptions`);
	await page.getByText("Resolve", { exact: true }).first().press("Enter");
	await page.getByLabel("How was it resolved?").fill("a typo");
	await page.getByLabel("The order").selectOption("cancel");
	await shoot(page, "exceptions");
	await page.getByLabel("How was it resolved?").press("Enter");
	await hub.orderIs(held.order_id, "cancelled");
	await page.getByText("a typo").first().waitFor();

	(await hub.post("/v1/dead-letters/replay", { filter: {} })).expect(202);
	await page.getByRole("navigation").getByRole("link", { name: "Jobs" }).press("Enter");
	await page.getByRole("cell", { name: "Done" }).waitFor();
	await shoot(page, "jobs");
});
