// What each part of the benchmark shows: its aims, its tables, and what must not have happened. Of `get` each number is the median.
const whole = (n) => Math.round(n).toLocaleString("en-GB");
const ms = (us) => (us >= 99_950 ? (us / 1000).toFixed(0) : us >= 9_995 ? (us / 1000).toFixed(1) : (us / 1000).toFixed(2));
const times = (n) => (Number.isFinite(n) ? `${n < 9.95 ? n.toFixed(1) : n.toFixed(0)} x` : "-");
const ratio = (n) => (Number.isFinite(n) ? `${n.toFixed(2)} x` : "-");
const percent = (n) => `${(100 * n).toFixed(0)} %`;

function table(head, body) {
	const all = [head, ...body];
	const width = head.map((_, i) => Math.max(...all.map((r) => String(r[i]).length)));
	const line = (r) => `| ${r.map((c, i) => (i ? String(c).padStart(width[i]) : String(c).padEnd(width[i]))).join(" | ")} |`;
	const rule = `|${width.map((w, i) => (i ? `${"-".repeat(w + 1)}:` : "-".repeat(w + 2))).join("|")}|`;
	return [line(head), rule, ...body.map(line)].join("\n");
}
export { ms, table, whole };

const none = () => [];

// ---- intake ----

const takers = {
	crossdock_sqlite: "Crossdock, SQLite",
	crossdock_postgresql: "Crossdock, PostgreSQL",
	node_1: "Node (fastify, pg), 1 process",
	node_2: "Node (fastify, pg), 2 workers",
	http: "ceiling: HTTP library, no store",
};
const better_node = (get) => ["node_1", "node_2"].map((n) => get(n, "closed")).reduce((a, b) => (b.rate > a.rate ? b : a));
const lower_ceiling = (get) => Math.min(get("http", "closed").rate, get("disk", "ceiling").group_rows_per_s);

const intake = {
	title: "Durable intake",
	problems: none,
	aims({ get }) {
		const ours = get("crossdock_sqlite", "closed"), half = get("crossdock_sqlite", "half"), node = better_node(get), lower = lower_ceiling(get);
		return [
			["rate, to the better Node service", "5 x", times(ours.rate / node.rate), ours.rate >= 5 * node.rate],
			["rate, of the lower ceiling", "50 %", percent(ours.rate / lower), ours.rate >= lower / 2],
			["p99 at half load", "10 ms", `${ms(half.p99_us)} ms`, half.p99_us < 10_000],
			["longest stall in a minute at half load", "50 ms", `${ms(half.stall_us)} ms`, half.stall_us < 50_000],
		];
	},
	text({ rows, get }) {
		const disk = get("disk", "ceiling"), input = get("input", "bodies"), node = better_node(get), lower = lower_ceiling(get);
		const rounds = (what, phase) => rows.filter((r) => r.what === what && r.phase === phase);
		const closed = Object.keys(takers).map((n) => {
			const r = get(n, "closed"), rates = rounds(n, "closed").map((r) => r.rate);
			return [takers[n], whole(r.rate), rates.length > 1 ? `${whole(Math.min(...rates))} to ${whole(Math.max(...rates))}` : "", times(r.rate / node.rate),
				percent(r.rate / lower), ms(r.p50_us), ms(r.p99_us), ms(r.p999_us), ms(r.max_us), whole(r.cpu_us_per_request), r.cpu_cores.toFixed(2),
				r.load_cores.toFixed(2), whole(r.memory_mb)];
		});
		closed.push(["ceiling: SQLite, 2 KB rows, groups of 64", whole(disk.group_rows_per_s), "", times(disk.group_rows_per_s / node.rate),
			percent(disk.group_rows_per_s / lower), ...Array(8).fill("")]);
		const half = Object.keys(takers).filter((n) => get(n, "half")).map((n) => {
			const r = get(n, "half"), beside = get(n, "disk");
			return [takers[n], whole(r.rate), rounds(n, "half").length, ms(r.p50_us), ms(r.p99_us), ms(r.p999_us), ms(r.max_us), ms(r.stall_us),
				ms(Math.max(...rounds(n, "half").map((r) => r.stall_us))), ms(beside.probe_p99_us), ms(beside.probe_max_us), whole(r.cpu_us_per_request),
				r.load_cores.toFixed(2), whole(r.memory_mb)];
		});
		return `Input: ${whole(input.orders)} real orders of ${whole(input.mean_bytes)} bytes on average, 64 connections. SQLite's group commit by itself: p50 ${ms(disk.group_p50_us)} ms, p99 ${ms(disk.group_p99_us)} ms,
longest ${ms(disk.group_max_us)} ms. The better Node service uses ${times(node.cpu_us_per_request / get("crossdock_sqlite", "closed").cpu_us_per_request)} the CPU of Crossdock an order.

As fast as it goes (closed loop, each round on a new store; milliseconds):

${table(["", "orders/s", "rounds", "to Node", "of lower ceiling", "p50", "p99", "p99.9", "max", "CPU us/order", "cores", "load's cores", "memory MB"], closed)}

At half of that rate for a minute (open loop, latency from when a request was due; milliseconds). *Disk* is a write of 2 KB and its fdatasync to a
file of its own, twenty times a second, in the same minute: what of a stall is the disk's.

${table(["", "orders/s", "minutes", "p50", "p99", "p99.9", "max", "longest stall", "of all minutes", "disk p99", "disk longest", "CPU us/order", "load's cores", "memory MB"], half)}`;
	},
};

const way = {
	title: "The whole way",
	aims: ({ rows }) => rows.filter((r) => r.phase === "whole").map((r) =>
		[`p99 from order to the ERP's request, ${whole(r.wanted_rate)} orders/s`, "50 ms", `${ms(r.lag_p99_us)} ms`, r.lag_p99_us < 50_000]),
	problems({ rows }) {
		const found = [];
		for (const r of rows.filter((r) => r.phase === "whole")) {
			if (r.missing) found.push(`${r.what}: ${r.missing} acknowledged orders did not reach the ERP`);
			if (!r.arrived) found.push(`${r.what}: nothing reached the ERP`);
		}
		return found;
	},
	text: ({ rows }) => `From when an order was due to its request at the ERP (Crossdock on SQLite; milliseconds):

${table(["orders/s", "arrived", "missing", "lag p50", "lag p99", "lag p99.9", "lag max", "intake p99", "CPU us/order", "cores", "load's cores"],
		rows.filter((r) => r.phase === "whole").map((r) => [whole(r.wanted_rate), whole(r.arrived), r.missing, ms(r.lag_p50_us), ms(r.lag_p99_us),
			ms(r.lag_p999_us), ms(r.lag_max_us), ms(r.p99_us), whole(r.cpu_us_per_request), r.cpu_cores.toFixed(2), r.load_cores.toFixed(2)]))}`,
};

// ---- delivery ----

const senders = { crossdock: "Crossdock, SQLite", worker_1: "Node worker, one job a transaction", worker_10: "Node worker, ten jobs a transaction" };

const delivery = {
	title: "Deliveries",
	problems: ({ rows }) => rows.filter((r) => r.phase === "delivery" && (r.failed || !(r.rate > 0))).map((r) => `${r.what}: ${r.failed ?? 0} failed, ${r.rate}/s`),
	aims({ get }) {
		const ours = get("crossdock", "delivery"), one = get("worker_1", "delivery"), ten = get("worker_10", "delivery");
		return [
			["rate, to the Node worker with one job a transaction", "5 x", times(ours.rate / one.rate), ours.rate >= 5 * one.rate],
			["rate, to the Node worker with ten jobs a transaction", "5 x", times(ours.rate / ten.rate), ours.rate >= 5 * ten.rate],
		];
	},
	text({ rows, get }) {
		const one = get("worker_1", "delivery");
		return `Deliveries that wait, sent to a local sink over kept connections:

${table(["", "deliveries/s", "rounds", "to one job", "CPU us/delivery", "CPU of one job to it", "cores"], Object.entries(senders).map(([what, name]) => {
			const r = get(what, "delivery"), rates = rows.filter((x) => x.what === what && x.phase === "delivery").map((x) => x.rate);
			return [name, whole(r.rate), rates.length > 1 ? `${whole(Math.min(...rates))} to ${whole(Math.max(...rates))}` : "", times(r.rate / one.rate), whole(r.cpu_us_per_delivery),
				times(one.cpu_us_per_delivery / r.cpu_us_per_delivery), r.cores.toFixed(2)];
		}))}`;
	},
};

const backlog = {
	title: "A backlog",
	problems({ get }) {
		const b = get("backlog", "delivery");
		return b.arrived < b.deliveries || b.out_of_order || b.counted < b.deliveries || b.counted > b.deliveries + 1 ? [`${b.counted} were counted, ${b.arrived} of ${b.deliveries} arrived, ${b.out_of_order} out of order`] : [];
	},
	aims({ get }) {
		const b = get("backlog", "delivery");
		return [
			[`start with ${whole(b.deliveries)} waiting`, "2 s", `${(b.start_ms / 1000).toFixed(1)} s`, b.start_ms < 2000],
			["another destination's rate, beside to before", "90 %", percent(b.rate / b.rate_before), b.rate >= 0.9 * b.rate_before],
			["out of order", "0", whole(b.out_of_order), b.out_of_order === 0],
		];
	},
	text({ get }) {
		const b = get("backlog", "delivery");
		return `${whole(b.deliveries)} deliveries wait for a destination that is away, while another one gets its own; then it is back, and all arrive, in order for each key:

${table(["waiting", "start ms", "memory MB, without", "with", "CPU %, idle", "other's deliveries/s before", "beside", "to before", "deliveries/s when it is back", "arrived", "twice"], [[whole(b.deliveries), whole(b.start_ms),
			whole(b.memory_empty_mb), whole(b.memory_mb), (100 * b.idle_cores).toFixed(1), whole(b.rate_before), whole(b.rate), ratio(b.rate / b.rate_before), whole(b.back_rate), whole(b.arrived), b.twice]])}

What takes them when it is back is a Node process that looks at each: it used ${b.back_sink_cores.toFixed(2)} cores then, the server ${b.back_cores.toFixed(2)}. Near 1.00 it, and not the server, is the bound.`;
	},
};

const destinations = {
	title: "Bad destinations beside healthy ones",
	problems: ({ get }) => (get("destinations", "delivery").beside.count > 0 ? [] : ["nothing was delivered"]),
	aims({ get }) {
		const { alone, beside } = get("destinations", "delivery");
		return ["p50", "p99"].map((q) => {
			const n = beside[`lag_${q}_us`] / alone[`lag_${q}_us`];
			return [`healthy ones' lag ${q}, beside to alone`, "1.2 x", ratio(n), n <= 1.2];
		});
	},
	text({ rows, get }) {
		const { alone, beside } = get("destinations", "delivery"), n = rows.filter((r) => r.what === "destinations").length;
		return `50 destinations: 25 healthy ones are told of 50 changes of stock a second, alone and beside 10 that are dead, 5 slow (10 s), 5 flapping and 5 throttling, each
with 1,000 deliveries that wait. From the commit of a delivery to its good answer, the mean of the healthy ones (milliseconds; ${n} round${n > 1 ? "s" : ""}):

${table(["", "deliveries", "lag p50", "p95", "p99", "cores", "load's and bad ones' cores"], [["alone", alone], ["beside 25 bad ones", beside], ["ratio", null]].map(([name, r]) => r
			? [name, whole(r.count), ms(r.lag_p50_us), ms(r.lag_p95_us), ms(r.lag_p99_us), r.cpu_cores.toFixed(2), r.load_cores.toFixed(2)]
			: [name, "", ...["lag_p50_us", "lag_p95_us", "lag_p99_us"].map((f) => ratio(beside[f] / alone[f])), "", ""]))}`;
	},
};

const resync = {
	title: "A full resynchronisation beside live traffic",
	problems({ get }) {
		const r = get("resync", "resync"), found = [];
		if (r.missing_numbers || r.failed) found.push(`${r.missing_numbers} numbers were not told, ${r.failed} deliveries failed`);
		for (const [name, p] of [["alone", r.without], ["beside", r.during]]) {
			if (p.sent !== p.acknowledged) found.push(`${name}: ${p.acknowledged} of ${p.sent} acknowledged`);
			for (const kind of ["orders", "movements"])
				if (!p[kind].count || p[kind].missing) found.push(`${name}: of the ${kind} ${p[kind].count} arrived, ${p[kind].missing} did not`);
		}
		return found;
	},
	aims({ get }) {
		const r = get("resync", "resync");
		return [["an order to the ERP's request", "orders"], ["a movement to the channel's request", "movements"]].flatMap(([name, kind]) => ["p50", "p99"].map((q) => {
			const n = r.during[kind][`${q}_us`] / r.without[kind][`${q}_us`];
			return [`${name}, ${q}, beside to alone`, "1.2 x", ratio(n), n <= 1.2];
		}));
	},
	text({ get }) {
		const r = get("resync", "resync");
		const line = (name, p) => [name, ms(p.orders.p50_us), ms(p.orders.p99_us), ms(p.orders.max_us), ms(p.movements.p50_us), ms(p.movements.p99_us), ms(p.movements.max_us),
			p.cores.toFixed(2), p.sink_cores.toFixed(2), p.load_cores.toFixed(2), whole(p.memory_mb)];
		const both = (kind, q) => ratio(r.during[kind][q] / r.without[kind][q]);
		return `${whole(r.items)} items, every number of ${r.channels} channels told anew (${whole(r.items * r.channels)} in ${whole(r.requests)} requests): ${r.resync_s.toFixed(1)} s, ${whole((r.items * r.channels) / r.resync_s)}/s, after a start of ${(r.start_ms / 1000).toFixed(2)} s.
Beside it orders at ${r.orders_per_s}/s and movements at ${r.movements_per_s}/s, from when each was due to the request that says it: an order's at the ERP, a movement's at each of the channels that
are being resynchronised (milliseconds; ${whole(r.during.orders.count)} orders and ${whole(r.during.movements.count)} tellings were due meanwhile):

${table(["", "order p50", "p99", "max", "movement p50", "p99", "max", "cores", "channels' cores", "load's cores", "memory MB"], [line("alone", r.without), line("beside the resynchronisation", r.during),
			["ratio", ...["orders", "movements"].flatMap((kind) => ["p50_us", "p99_us", "max_us"].map((q) => both(kind, q))), "", "", "", ""]])}

Cores are the means of the whole phase of ${r.seconds} s.`;
	},
};

// ---- stock ----

const reconcile = {
	title: "A reconciliation",
	problems({ get }) {
		const books = get("reconcile", "reconcile"), found = [];
		for (const run of [books.alone, books.beside])
			if (run.status !== "done" || run.compared !== books.items || run.differences !== books.wanted)
				found.push(`${run.status}, ${run.compared} of ${books.items} compared, ${run.differences} of ${books.wanted} differences`);
		for (const taken of [books.orders_without, books.orders_during])
			if (!taken.sent || taken.acknowledged !== taken.sent) found.push(`${taken.acknowledged} of ${taken.sent} orders acknowledged`);
		return found;
	},
	aims: none,
	text({ get }) {
		const books = get("reconcile", "reconcile");
		const line = ([name, r, o]) => [name, r.seconds.toFixed(1), whole(r.rate), r.cores.toFixed(2), whole(r.memory_before_mb), whole(r.memory_peak_mb), whole(o.rate), ms(o.p50_us), ms(o.p99_us)];
		return `${whole(books.items)} items on hand, of which ${whole(books.wanted)} differ, read in pages of 1,000; orders before it and beside it (milliseconds):

${table(["", "seconds", "items/s", "cores", "memory MB, before", "peak", "orders/s", "p50", "p99"],
			[["alone", books.alone, books.orders_without], ["while orders are taken", books.beside, books.orders_during]].map(line))}

Orders' p99 beside it to before it: ${ratio(books.orders_during.p99_us / books.orders_without.p99_us)}.`;
	},
};

const ats = {
	title: "Available-to-sell",
	problems: ({ get }) => (get("ats", "ats").sum ? [] : ["nothing may be sold"]),
	aims({ get }) {
		const a = get("ats", "ats"), start = a.load_s + a.view_s;
		return [[`${whole(a.positions)} positions loaded and shown`, "2 s", `${start.toFixed(2)} s`, start < 2]];
	},
	text({ rows, get }) {
		const a = get("ats", "ats");
		return `Positions loaded from SQLite and shown to readers, one movement to the numbers of 20 channels, all items for 10 channels (${rows.filter((r) => r.phase === "ats").length} round(s), in one process):

${table(["positions", "load s", "view s", "ledger bytes a position", "view bytes a position", "movement to 20 channels, ns", "all items x 10 channels, s"],
			[[whole(a.positions), a.load_s.toFixed(2), a.view_s.toFixed(2), whole(a.ledger_bytes), whole(a.view_bytes), whole(a.movement_ns), a.recompute_s.toFixed(2)]])}`;
	},
};

const ways = { postgresql: "PostgreSQL, pgbench", one: "Crossdock, one by one", batch: "Crossdock, 1,000 in a request" };

const reserve = {
	title: "Reservations",
	problems({ rows, get }) {
		const found = rows.filter((r) => r.what === "reserve").flatMap((r) => r.found);
		return get("reserve", "reserve").out.asked ? found : [...found, "nothing was asked"];
	},
	aims({ get }) {
		const { is, out } = get("reserve", "reserve");
		const best = (way, spread) => Math.max(...Object.values(is[way][spread]).map((r) => r.rate));
		const many = best("batch", "hot") / best("postgresql", "hot"), one = best("one", "hot") / best("postgresql", "hot");
		const hot = best("one", "hot") / best("one", "spread"), hot_many = best("batch", "hot") / best("batch", "spread");
		return [
			["one hot item, 1,000 in a request, to PostgreSQL", "50 x", times(many), many >= 50],
			["one hot item, one by one, to PostgreSQL", "10 x", times(one), one >= 10],
			["hot of spread, one by one", "80 %", percent(hot), hot >= 0.8],
			["hot of spread, 1,000 in a request", "80 %", percent(hot_many), hot_many >= 0.8],
			[`oversold, of ${whole(out.stock)} that ${whole(out.asked)} wanted`, "0", whole(out.oversold), out.oversold === 0],
		];
	},
	text({ rows, get }) {
		const { is, items } = get("reserve", "reserve"), n = rows.filter((r) => r.what === "reserve").length;
		const lines = [];
		for (const spread of ["hot", "spread"])
			for (const callers of Object.keys(is.one[spread]))
				for (const [way, name] of Object.entries(ways)) {
					const r = is[way][spread][callers];
					lines.push([name, spread === "hot" ? 1 : whole(items), callers.slice(1), whole(r.rate), times(r.rate / is.postgresql[spread][callers].rate), ms(r.p50_us),
						r.p99_us ? ms(r.p99_us) : "", r.cpu_us?.toFixed(1) ?? "", r.cores?.toFixed(2) ?? "", r.load_cores?.toFixed(2) ?? ""]);
				}
		return `One unit of one item each, durable, ${n} round${n > 1 ? "s" : ""}; PostgreSQL's p50 is pgbench's mean, p50 and p99 are of a request (milliseconds):

${table(["", "items", "callers", "reservations/s", "to PostgreSQL", "p50", "p99", "CPU us each", "cores", "load's cores"], lines)}`;
	},
};

export const parts = { intake, way, delivery, backlog, destinations, resync, reconcile, reserve, ats };
