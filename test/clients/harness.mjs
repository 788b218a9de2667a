// harness.mjs - statements that are counted, and servers for them
import { spawn } from "node:child_process";

export const counts = { passed: 0, failed: 0, skipped: 0 };

/** One statement: passes unless `body` throws, or takes longer than a minute. */
export async function test(name, body) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error("no answer within a minute")), 60_000);
	});
	try {
		await Promise.race([body(), late]);
		counts.passed++;
	} catch (error) {
		counts.failed++;
		console.error(`FAILED: ${name}: ${error?.stack ?? error}`);
	} finally {
		clearTimeout(timer);
	}
}

export function skip(name, reason) {
	counts.skipped++;
	console.error(`skipped: ${name}: ${reason}`);
}

/** Servers that run, which end with the test whatever ends that. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts `brise serve` and waits until it is ready. stop() ends it, and gives its exit status. */
export async function serve(program, model, options = []) {
	const child = spawn(program, ["serve", model, "--port", "0", "--no-cache", ...options], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	running.add(child);
	child.on("exit", () => running.delete(child));
	let log = "";
	child.stderr.on("data", (bytes) => (log += bytes));
	const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)));
	const url = await new Promise((resolve) => {
		child.stdout.once("data", (bytes) => resolve(String(bytes).trim()));
		ended.then(() => resolve(""));
	});
	for (let i = 0; ; i++) {
		const ready = await fetch(`${url}/health`).then((r) => r.ok, () => false);
		if (ready) break;
		if (i === 300 || !url || child.exitCode !== null) {
			child.kill("SIGKILL");
			throw new Error(`brise serve ${model} is not ready:\n${log}`);
		}
		await sleep(100);
	}
	return {
		url,
		pid: child.pid,
		log: () => log,
		async stop() {
			child.kill("SIGTERM");
			return ended;
		},
	};
}
