/* What the API answers with (api/openapi.yaml), as far as the console shows it. */

export interface Problem {
	title?: string;
	detail?: string;
	code?: string;
	correlation_id?: string;
	errors?: { pointer: string; code: string; detail: string }[];
}

export interface Page<T> {
	items: T[];
	next_cursor: string | null;
}

export interface Lag {
	count: number;
	p50_us: number;
	p95_us: number;
	p99_us: number;
}

export interface DeliveryCount {
	system: string;
	operation: string;
	status: string;
	count: number;
}

export interface Overview {
	tenant: string;
	as_of: string;
	ready: boolean;
	position: number;
	items: number;
	orders: Record<string, number>;
	orders_total: number;
	deliveries: DeliveryCount[];
	exceptions: Record<string, number>;
	exceptions_open: number;
	dead_letters_open: number;
	inbox: { kind: string; fate: string; count: number }[];
	lag: Record<string, { delivery: Lag; availability?: Lag }>;
}

export interface System {
	id: string;
	connector: string;
	connector_version: string;
	url: string;
	roles: string[];
	paused: boolean;
	backlog: number;
	oldest_at?: string;
	/* What the delivery engine knows; absent while it does not run. */
	health?: "good" | "late" | "failing" | "paused" | "maintenance";
	state?: "running" | "backing_off" | "stopped" | "paused" | "maintenance";
	breaker?: "closed" | "open" | "half_open";
	in_flight?: number;
	failures?: number;
	next_attempt_at?: string;
	last_failure_at?: string;
	last_failure?: string;
	/* Attempts by outcome, since the server started. */
	outcomes?: Record<string, number>;
}

export interface CloudEvent {
	id: string;
	type: string;
	subject: string;
	source: string;
	time: string;
	position: number;
	correlationid: string;
	data: Record<string, unknown>;
}

export interface OrderHead {
	order_id: string;
	channel: string;
	external_id: string;
	status: string;
	stage_since: string;
	correlation_id: string;
	placed_at?: string;
	currency?: string;
	customer?: { external_id?: string; name?: string };
}

export interface OrderLine {
	line_id: string;
	sku: string;
	status: string;
	ordered: string;
	reserved: string;
	backordered: string;
	released: string;
	shipped: string;
	invoiced: string;
	returned: string;
	cancelled: string;
	uom?: string;
	unit_price?: string;
	description?: string;
}

export interface Order extends OrderHead {
	lines: OrderLine[];
	external_ids?: Record<string, string>;
	purchase_order_number?: string;
}

export interface Entry {
	at: string;
	kind: "message" | "event" | "exception" | "delivery" | "attempt" | "replay";
	summary: string;
	type?: string;
	system?: string;
	source?: string;
	operation?: string;
	outcome?: string;
	status?: string;
	fate?: string;
	delivery_id?: string;
	duration_us?: number;
	http_status?: number;
	detail?: string;
	reason?: string;
	position?: number;
	data?: unknown;
}

export interface Timeline {
	correlation_id: string;
	entries: Entry[];
}

export interface DeadLetter {
	id: string;
	at: string;
	class: string;
	kind: string;
	system?: string;
	operation?: string;
	correlation_id: string;
	reason: string;
	status: string;
	closed_at?: string;
	note?: string;
	payload?: string;
	message?: { at: string; source?: string; endpoint?: string; detail?: string; payload?: string };
	delivery?: Delivery;
	attempts?: Attempt[];
	closed_by?: string;
	edit?: { at: string; by?: string; payload?: string; changes: Change[] };
}

export interface Change {
	op: string;
	pointer: string;
	from?: unknown;
	to?: unknown;
}

export interface Job {
	job_id: string;
	kind: string;
	status: string;
	started_at: string;
	finished_at?: string;
	error?: string;
	params: { system?: string; filter?: { system?: string } };
	progress: { done: number; failed: number; total: number };
}

export interface Exception {
	exception_id: string;
	at: string;
	kind: string;
	subject: string;
	order_id?: string;
	correlation_id: string;
	detail: string;
	status: string;
	assignee?: string;
	resolution?: string;
}

export interface Attempt {
	number: number;
	at: string;
	duration_us: number;
	outcome: string;
	http_status?: number;
	detail?: string;
	request?: string;
	response?: string;
}

export interface Delivery {
	delivery_id: string;
	system: string;
	operation: string;
	status: string;
	attempts_made: number;
	order_id?: string;
	correlation_id: string;
	created_at: string;
	updated_at: string;
	next_at?: string;
	result?: string;
	reason?: string;
	document?: unknown;
	params?: unknown;
	attempts?: Attempt[];
	replayed_by?: string;
	replayed_at?: string;
}

export interface Audit {
	ok: boolean;
	checks: { name: string; ok: boolean; differences?: number; detail: string }[];
}

export interface Subscription {
	subscription_id: string;
	url: string;
	types: string[];
	enabled: boolean;
	reason?: string;
	created_at: string;
	changed_at: string;
	failing_since?: string;
	keys: { kind: string; public_key?: string; valid_until?: string }[];
	replay: { after: number; through: number } | null;
	backlog: number;
	/* What the delivery engine knows, since the server started. */
	state?: string;
	next_attempt_at?: string;
	last_success_at?: string;
	last_failure_at?: string;
	last_failure?: string;
	/* Only in the answer that made it. */
	secret?: string;
}

export interface Reconciliation {
	id: string;
	status: string;
	system: string;
	balances: "read" | "given";
	on_drift: string;
	correlation_id: string;
	started_at: string;
	ended_at?: string;
	progress?: { state: string; compared: number; equal: number; differences: number };
	summary?: {
		reason?: string;
		as_of?: string;
		compared?: number;
		equal?: number;
		differences?: Record<string, number>;
		actions?: Record<string, number>;
		units_more?: string;
		units_less?: string;
		not_corrected?: string;
	};
}

export interface Drift {
	sku: string;
	location?: string;
	lot?: string;
	theirs: string;
	ours: string;
	as_of: string;
	class: string;
	action: string;
	detail?: string;
}

export interface Position {
	location: string;
	lot?: string;
	owner?: string;
	on_hand: string;
	states: Record<string, string>;
}

export interface Stock {
	sku: string;
	uom?: string;
	on_hand: string;
	positions: Position[];
}

export interface SerialAt {
	state: string;
	location?: string;
	lot?: string;
	owner?: string;
	order_id?: string;
}

export interface Serial extends SerialAt {
	serial: string;
	occurred_at?: string;
}

export interface SerialMove {
	movement_id: string;
	type: string;
	at: string;
	occurred_at: string;
	source?: string;
	source_event_id?: string;
	reason?: string;
	correlation_id: string;
	taken_back?: boolean;
	late?: boolean;
	after: SerialAt;
}

export interface SerialPage extends Serial {
	sku: string;
	history: SerialMove[];
	next_cursor: string | null;
}
