/* The console: signs in, follows the event stream, and shows the page that the path names. */
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Api, ApiError, OfflineError } from "./api.ts";
import { follow, type StreamState } from "./follow.ts";
import { clock } from "./format.ts";
import { add, EMPTY, type Live } from "./live.ts";
import { OrderPage, OrdersPage, TracePage } from "./orders.tsx";
import { OverviewPage } from "./overview.tsx";
import { JobsPage } from "./jobs.tsx";
import { ReconciliationPage, ReconciliationsPage } from "./reconciliation.tsx";
import { DeadLetterPage, DeadLettersPage, DeliveriesPage, DeliveryPage, ExceptionsPage } from "./repair.tsx";
import { BASE, hrefTo, parseRoute, type Route } from "./route.ts";
import { FindStockPage, SerialPage, StockPage } from "./stock.tsx";
import { SubscriptionPage, SubscriptionsPage } from "./subscriptions.tsx";
import { forgetKey, keepKey, takeKey, tenantOf } from "./session.ts";
import type { Overview } from "./types.ts";
import { Heading, Link, type Shell, ShellContext, useGet } from "./ui.tsx";
import "./app.css";

function SignIn(props: { why: string | undefined; signIn: (key: string) => void }) {
	const [error, setError] = useState(props.why);
	return (
		<main class="sign-in">
			<form
				onSubmit={(e) => {
					e.preventDefault();
					const key = String(new FormData(e.currentTarget).get("key") ?? "").trim();
					if (tenantOf(key))
						props.signIn(key);
					else
						setError("A key begins with cd_ and the tenant's name.");
				}}
			>
				<h1>Crossdock</h1>
				<label>
					API key
					<input name="key" type="password" autocomplete="off" spellcheck={false} required autofocus aria-describedby="key-help key-error" />
				</label>
				<p id="key-error" class="bad" role="alert">
					{error}
				</p>
				<button type="submit">Sign in</button>
				<p id="key-help" class="dim">
					<code>crossdock key create --tenant T --scopes admin</code> makes one. It is kept in this tab only.
				</p>
			</form>
		</main>
	);
}

const menu: [string, string, Route["page"][]][] = [
	["", "Overview", ["overview"]],
	["orders", "Orders", ["orders", "order"]],
	["stock", "Stock", ["find-stock", "stock", "serial"]],
	["deliveries", "Deliveries", ["deliveries", "delivery"]],
	["exceptions", "Exceptions", ["exceptions"]],
	["jobs", "Jobs", ["jobs"]],
	["dead-letters", "Dead letters", ["dead-letters", "dead-letter"]],
	["reconciliations", "Reconciliation", ["reconciliations", "reconciliation"]],
	["subscriptions", "Subscriptions", ["subscriptions", "subscription"]],
	["trace", "Trace", ["trace"]],
];

function Search(props: { navigate: (href: string) => void }) {
	return (
		<form
			class="search"
			role="search"
			aria-label="Find an order"
			onSubmit={(e) => {
				e.preventDefault();
				const text = String(new FormData(e.currentTarget).get("q") ?? "").trim();
				if (text)
					props.navigate(`${hrefTo("orders")}?${new URLSearchParams({ q: text })}`);
			}}
		>
			<input type="search" name="q" placeholder="Find an order" aria-label="The channel's order number" autocomplete="off" spellcheck={false} />
		</form>
	);
}

function Alarm(props: { error: Error | undefined; asOf: number | undefined; overview: Overview | undefined }) {
	const { error } = props;
	if (!error)
		return props.overview?.ready === false ? (
			<div class="alarm" role="alert">
				The store cannot commit now: nothing new is taken.
			</div>
		) : null;
	const text =
		error instanceof OfflineError
			? "Crossdock does not answer. Trying again"
			: error instanceof ApiError && error.status === 403
				? "This key may not read the overview: it needs the scope operate or admin"
				: `The overview cannot be read: ${error.message}`;
	return (
		<div class="alarm" role="alert">
			{text}
			{props.asOf ? `; what is shown is of ${clock(new Date(props.asOf).toISOString(), false)}` : ""}.
		</div>
	);
}

function Body(props: { route: Route; live: Live; stream: StreamState; overview: Overview | undefined; error: Error | undefined }) {
	const { route } = props;
	switch (route.page) {
	case "overview":
		return <OverviewPage live={props.live} stream={props.stream} overview={props.overview} error={props.error} />;
	case "orders":
		return <OrdersPage search={route.search} status={route.status} />;
	case "order":
		return <OrderPage id={route.id} key={route.id} />;
	case "trace":
		return <TracePage id={route.id} key={route.id} />;
	case "deliveries":
		return <DeliveriesPage system={route.system} status={route.status} />;
	case "delivery":
		return <DeliveryPage id={route.id} key={route.id} />;
	case "dead-letters":
		return <DeadLettersPage system={route.system} operation={route.operation} />;
	case "dead-letter":
		return <DeadLetterPage id={route.id} key={route.id} />;
	case "exceptions":
		return <ExceptionsPage />;
	case "jobs":
		return <JobsPage />;
	case "subscriptions":
		return <SubscriptionsPage />;
	case "subscription":
		return <SubscriptionPage id={route.id} key={route.id} />;
	case "reconciliations":
		return <ReconciliationsPage />;
	case "reconciliation":
		return <ReconciliationPage id={route.id} key={route.id} />;
	case "find-stock":
		return <FindStockPage />;
	case "stock":
		return <StockPage sku={route.sku} key={route.sku} />;
	case "serial":
		return <SerialPage sku={route.sku} serial={route.serial} key={`${route.sku} ${route.serial}`} />;
	case "lost":
		return <Heading title="No such page">There is no such page</Heading>;
	}
}

/* Inside the shell: the overview is asked for on every page, it says whether the server is there. */
function Frame(props: { shell: Shell; route: Route; live: Live; stream: StreamState; start: (position: number) => void; signOut: () => void }) {
	const { data: overview, error } = useGet<Overview>("/v1/overview", 1000);
	const [asOf, setAsOf] = useState<number>();
	useEffect(() => {
		if (!overview)
			return;
		setAsOf(Date.now());
		props.start(overview.position);
	}, [overview]);
	return (
		<>
			<a class="skip" href="#main">
				Skip to the page
			</a>
			<header class="top">
				<span class="brand">Crossdock</span>
				<span class="tenant">{overview?.tenant ?? tenantOf(props.shell.api.key)}</span>
				<nav aria-label="Pages">
					{menu.map(([path, title, pages]) => (
						<Link key={path} href={path ? hrefTo(path) : `${BASE}/`} current={pages.includes(props.route.page)}>
							{title}
							{path === "exceptions" && overview !== undefined && overview.exceptions_open > 0 && <i class="badge">{overview.exceptions_open}</i>}
							{path === "dead-letters" && overview !== undefined && overview.dead_letters_open > 0 && <i class="badge bad">{overview.dead_letters_open}</i>}
						</Link>
					))}
				</nav>
				<Search navigate={props.shell.navigate} />
				<button type="button" class="quiet" onClick={props.signOut}>
					Sign out
				</button>
			</header>
			<Alarm error={error} asOf={asOf} overview={overview} />
			<main id="main" tabIndex={-1}>
				<Body route={props.route} live={props.live} stream={props.stream} overview={overview} error={error} />
			</main>
		</>
	);
}

function SignedIn(props: { apiKey: string; signOut: (why?: string) => void }) {
	const [route, setRoute] = useState(() => parseRoute(location.pathname, location.search));
	const [live, setLive] = useState<Live>(EMPTY);
	const [stream, setStream] = useState<StreamState>("connecting");
	const [position, setPosition] = useState<number>();
	const api = useMemo<Api>(() => ({ key: props.apiKey, refused: props.signOut }), [props.apiKey]);
	const skew = live.skewMs;

	useEffect(() => {
		const back = () => setRoute(parseRoute(location.pathname, location.search));
		addEventListener("popstate", back);
		return () => removeEventListener("popstate", back);
	}, []);
	useEffect(() => {
		if (position === undefined)
			return undefined;
		return follow(api, position, {
			events: (events, now) => setLive((was) => add(was, events, now ? Date.now() : undefined)),
			state: setStream,
		});
	}, [api, position]);
	const shell = useMemo<Shell>(
		() => ({
			api,
			navigate: (href) => {
				history.pushState(null, "", href);
				setRoute(parseRoute(location.pathname, location.search));
				scrollTo(0, 0);
			},
			now: () => Date.now() + skew,
		}),
		[api, skew],
	);
	return (
		<ShellContext.Provider value={shell}>
			<Frame shell={shell} route={route} live={live} stream={stream} start={(at) => setPosition((was) => was ?? at)} signOut={() => props.signOut()} />
		</ShellContext.Provider>
	);
}

function App() {
	const [key, setKey] = useState(takeKey);
	const [why, setWhy] = useState<string>();
	useEffect(() => {
		const changed = () => setKey(takeKey());
		addEventListener("hashchange", changed);
		return () => removeEventListener("hashchange", changed);
	}, []);
	if (!key)
		return (
			<SignIn
				why={why}
				signIn={(k) => {
					keepKey(k);
					setKey(k);
				}}
			/>
		);
	return (
		<SignedIn
			key={key}
			apiKey={key}
			signOut={(reason) => {
				forgetKey();
				setWhy(reason);
				setKey(undefined);
			}}
		/>
	);
}

render(<App />, document.getElementById("app")!);
