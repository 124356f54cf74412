/* How numbers, times and names are shown. Pure. */

export function count(n: number): string {
	return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/* Three significant digits: 0.52, 5.25, 52.5, 525. */
export function rate(perSecond: number): string {
	if (perSecond < 0.005)
		return "0";
	if (perSecond < 10)
		return perSecond.toFixed(2).replace(/\.?0+$/, "");
	return perSecond < 100 ? perSecond.toFixed(1).replace(/\.0$/, "") : count(perSecond);
}

export function micros(us: number): string {
	if (us < 1000)
		return `${Math.round(us)} µs`;
	if (us < 10_000)
		return `${(us / 1000).toFixed(1)} ms`;
	if (us < 1_000_000)
		return `${Math.round(us / 1000)} ms`;
	if (us < 60_000_000)
		return `${(us / 1_000_000).toFixed(us < 10_000_000 ? 1 : 0)} s`;
	return age(us / 1000);
}

/* The two largest units that matter. */
export function age(ms: number): string {
	const s = Math.max(0, Math.floor(ms / 1000));
	if (s < 60)
		return `${s} s`;
	if (s < 3600)
		return `${Math.floor(s / 60)} min`;
	if (s < 86_400) {
		const minutes = Math.floor((s % 3600) / 60);
		return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
	}
	const hours = Math.floor((s % 86_400) / 3600);
	return `${Math.floor(s / 86_400)} d${hours ? ` ${hours} h` : ""}`;
}

function two(n: number): string {
	return n.toString().padStart(2, "0");
}

/* Of the reader's clock: "14:03:22.120". */
export function clock(instant: string, withMillis = true): string {
	const d = new Date(instant);
	if (Number.isNaN(d.getTime()))
		return instant;
	const base = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
	return withMillis ? `${base}.${d.getMilliseconds().toString().padStart(3, "0")}` : base;
}

/* "2026-03-01 14:03:22". */
export function dateTime(instant: string): string {
	const d = new Date(instant);
	if (Number.isNaN(d.getTime()))
		return instant;
	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(instant, false)}`;
}

/* The time between the first step and this one: "+1.204 s". */
export function since(from: string, to: string): string {
	const ms = Date.parse(to) - Date.parse(from);
	if (Number.isNaN(ms))
		return "";
	if (Math.abs(ms) < 60_000)
		return `${ms < 0 ? "−" : "+"}${(Math.abs(ms) / 1000).toFixed(3)} s`;
	return `${ms < 0 ? "−" : "+"}${age(Math.abs(ms))}`;
}

/* "partially_shipped" to "Partially shipped", "order.post" to "Order post". */
export function words(name: string): string {
	const text = name.replace(/[._-]+/g, " ").trim();
	return text ? text[0]!.toUpperCase() + text.slice(1) : name;
}

/* Decimal text without trailing zeros; never through a number. */
export function quantity(text: string | undefined): string {
	if (!text)
		return "0";
	return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}

export function isZero(text: string | undefined): boolean {
	return !text || /^-?0*(\.0*)?$/.test(text);
}

export function plural(n: number, one: string, many = `${one}s`): string {
	return `${count(n)} ${n === 1 ? one : many}`;
}

/* Indented if it is JSON, else as it is. */
export function pretty(text: string): string {
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		return text;
	}
}
