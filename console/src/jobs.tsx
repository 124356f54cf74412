/* Long work and how far it is. */
import { ActFailure, useAct } from "./act.tsx";
import { dateTime, words } from "./format.ts";
import type { Job } from "./types.ts";
import { Heading, List, Status } from "./ui.tsx";

function Row(props: { job: Job }) {
	const { job } = props;
	const act = useAct(() => undefined);
	const { done, failed, total } = job.progress;
	return (
		<>
			<td>{dateTime(job.started_at)}</td>
			<td>{words(job.kind)}</td>
			<td>{job.params.system ?? job.params.filter?.system}</td>
			<td>
				<Status of={job.status} />
			</td>
			<td>
				<progress value={done + failed} max={Math.max(total, 1)} aria-label="Progress" /> {done + failed} of {total}
				{failed > 0 && <span class="dim"> ({failed} failed)</span>}
			</td>
			<td>{job.error}</td>
			<td>
				{job.status === "running" && (
					<button type="button" class="quiet" aria-disabled={act.busy} onClick={() => void act.run("POST", `/v1/jobs/${encodeURIComponent(job.job_id)}/cancel`)}>
						Cancel
					</button>
				)}
				<ActFailure act={act} />
			</td>
		</>
	);
}

export function JobsPage() {
	return (
		<>
			<Heading title="Jobs" lead="Replays and other long work.">
				Jobs
			</Heading>
			<List<Job>
				path="/v1/jobs"
				values={{}}
				caption="Jobs, the newest first"
				columns={["Started", "What", "System", "Status", "Progress", "", " "]}
				keyOf={(j) => j.job_id}
				empty="There were no jobs."
				row={(j) => <Row job={j} />}
			/>
		</>
	);
}
