/* Orders a second by stage, drawn live. What it shows is also said in the legend. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock, rate } from "./format.ts";
import { type Live, recent, series, SLOT_MS, STAGES } from "./live.ts";
import { useShell } from "./ui.tsx";

const HEIGHT = 220;
const names = { captured: "Orders in", reserved: "Reserved", accepted: "Accepted", released: "Released", shipped: "Shipped" };

function colours(): Record<string, string> {
	const style = getComputedStyle(document.documentElement);
	const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
	return Object.fromEntries([...STAGES.map((s) => [s, of(s)]), ["grid", of("line")], ["text", of("dim")]]) as Record<string, string>;
}

function make(host: HTMLElement): uPlot {
	const c = colours();
	const axis = { stroke: c["text"]!, grid: { stroke: c["grid"]!, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
	return new uPlot(
		{
			width: host.clientWidth || 600,
			height: HEIGHT,
			legend: { show: false },
			cursor: { show: false },
			scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
			axes: [
				{ ...axis, size: 28, values: (_, ticks) => ticks.map((t) => clock(new Date(t * 1000).toISOString(), false)), space: 90 },
				{ ...axis, size: 44, values: (_, ticks) => ticks.map((t) => rate(t)) },
			],
			series: [{}, ...STAGES.map((s) => ({ label: names[s], stroke: c[s]!, width: 1.5, points: { show: false }, ...(s === "captured" && { width: 2.5, fill: `${c[s]}1c` }) }))],
		},
		[[], ...STAGES.map(() => [])],
		host,
	);
}

export function RateChart(props: { live: Live }) {
	const { now } = useShell();
	const host = useRef<HTMLDivElement>(null);
	const plot = useRef<uPlot | undefined>(undefined);
	const [tick, setTick] = useState(0);
	const s = series(props.live, now());

	useEffect(() => {
		const timer = setInterval(() => setTick((t) => t + 1), SLOT_MS);
		return () => clearInterval(timer);
	}, []);
	useEffect(() => {
		const element = host.current!;
		const remake = () => {
			plot.current?.destroy();
			plot.current = make(element);
			setTick((t) => t + 1);
		};
		remake();
		const dark = matchMedia("(prefers-color-scheme: dark)");
		dark.addEventListener("change", remake);
		const watch = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
		watch.observe(element);
		return () => {
			dark.removeEventListener("change", remake);
			watch.disconnect();
			plot.current?.destroy();
		};
	}, []);
	useEffect(() => {
		plot.current?.setData([s.times, ...STAGES.map((name) => s.values[name])]);
	}, [props.live, tick]);

	const said = STAGES.map((name) => `${names[name]} ${rate(recent(s.values[name]))}`).join(", ");
	return (
		<figure class="chart">
			<div ref={host} role="img" aria-label={`Orders a second by stage over the last minutes. Now: ${said}.`} />
			<figcaption>
				{STAGES.map((name) => (
					<span key={name} class="key">
						<i style={{ background: `var(--${name})` }} /> {names[name]} <b>{rate(recent(s.values[name]))}</b>
						<span class="dim">/s</span>
					</span>
				))}
			</figcaption>
		</figure>
	);
}
