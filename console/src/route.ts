/* Pages by path below /console, and links to them that do not load the document again. */

export type Route =
	| { page: "overview" }
	| { page: "orders"; search: string; status: string }
	| { page: "order"; id: string }
	| { page: "trace"; id: string }
	| { page: "deliveries"; system: string; status: string }
	| { page: "delivery"; id: string }
	| { page: "dead-letters"; system: string; operation: string }
	| { page: "dead-letter"; id: string }
	| { page: "exceptions" }
	| { page: "jobs" }
	| { page: "subscriptions" }
	| { page: "subscription"; id: string }
	| { page: "reconciliations" }
	| { page: "reconciliation"; id: string }
	| { page: "find-stock" }
	| { page: "stock"; sku: string }
	| { page: "serial"; sku: string; serial: string }
	| { page: "lost" };

export const BASE = "/console";

export function parseRoute(path: string, search: string): Route {
	const parts = path.slice(BASE.length).split("/").filter((p) => p !== "");
	const q = new URLSearchParams(search);
	const value = (name: string) => q.get(name) ?? "";
	let id: string | undefined, below: string | undefined;
	try {
		[id, below] = parts.slice(1).map(decodeURIComponent);
	} catch {
		return { page: "lost" };
	}
	if (!path.startsWith(BASE) || parts.length > (parts[0] === "stock" ? 3 : 2))
		return { page: "lost" };
	switch (parts[0]) {
	case undefined:
		return { page: "overview" };
	case "orders":
		return id === undefined ? { page: "orders", search: value("q"), status: value("status") } : { page: "order", id };
	case "trace":
		return { page: "trace", id: id ?? value("id") };
	case "deliveries":
		return id === undefined ? { page: "deliveries", system: value("system"), status: value("status") } : { page: "delivery", id };
	case "dead-letters":
		return id === undefined ? { page: "dead-letters", system: value("system"), operation: value("operation") } : { page: "dead-letter", id };
	case "subscriptions":
		return id === undefined ? { page: "subscriptions" } : { page: "subscription", id };
	case "reconciliations":
		return id === undefined ? { page: "reconciliations" } : { page: "reconciliation", id };
	case "stock":
		if (id === undefined)
			return { page: "find-stock" };
		return below === undefined ? { page: "stock", sku: id } : { page: "serial", sku: id, serial: below };
	case "jobs":
		return id === undefined ? { page: "jobs" } : { page: "lost" };
	case "exceptions":
		return id === undefined ? { page: "exceptions" } : { page: "lost" };
	default:
		return { page: "lost" };
	}
}

/* A '.' in the last part would be taken for a file by the server. */
export function hrefTo(...parts: string[]): string {
	return [BASE, ...parts.map((p) => encodeURIComponent(p).replaceAll(".", "%2E"))].join("/");
}
