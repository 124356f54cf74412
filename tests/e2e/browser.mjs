/* A real browser on the console. */
import { join } from "node:path";
import { chromium } from "playwright-core";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/* A page that reports everything it complains of: errors, refused policies, requests to anywhere else. */
export async function browse(t, hub, options = {}) {
	const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
	t.after(() => browser.close());
	const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...options });
	const page = await context.newPage();
	page.setDefaultTimeout(30_000);
	const complaints = [];
	page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
	page.on("pageerror", (e) => complaints.push(e.message));
	page.on("request", (r) => r.url().startsWith(hub.url) || r.url().startsWith("data:") || complaints.push(`asked ${r.url()}`));
	return { page, complaints };
}

/* By keyboard, when it can be pressed: while the page waits for an answer its buttons are disabled, and take no key. */
export async function press(button) {
	await button.click({ trial: true });
	await button.press("Enter");
}

/* For whoever wants to look: CROSSDOCK_PICTURES names a folder. */
export async function shoot(page, name) {
	if (process.env.CROSSDOCK_PICTURES)
		await page.screenshot({ path: join(process.env.CROSSDOCK_PICTURES, `${name}.png`), fullPage: true });
}
