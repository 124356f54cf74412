// Builds the console into console/dist: index.html, app.js, app.css, icon.svg. --check checks the types and runs the unit tests
// instead. Run it with tools/node.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = join(here, "dist");

function run(...args) {
	const { status } = spawnSync(process.execPath, args, { stdio: "inherit", cwd: join(here, "..") });
	if (status !== 0)
		process.exit(status ?? 1);
}

if (process.argv.includes("--check")) {
	run("node_modules/typescript/bin/tsc", "-p", "console");
	const tests = readdirSync(join(here, "test")).filter((name) => name.endsWith(".test.mjs"));
	run("--disable-warning=ExperimentalWarning", "--test", ...tests.map((name) => `console/test/${name}`));
} else {
	rmSync(dist, { recursive: true, force: true });
	mkdirSync(dist);
	await build({
		entryPoints: { app: join(here, "src/main.tsx") },
		tsconfig: join(here, "tsconfig.json"),
		outdir: dist,
		bundle: true,
		minify: true,
		format: "esm",
		target: ["es2022"],
		legalComments: "inline",
		logLevel: "warning",
	});
	for (const name of ["icon.svg", "index.html"])
		copyFileSync(join(here, name), join(dist, name));
}
