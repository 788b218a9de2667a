// harness.mjs - statements that are counted, and servers for them
import { spawn } from "node:child_process";
import net from "node:net";

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

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function findPort() {
	return new Promise((resolve, reject) => {
		const probe = net.createServer();
		probe.on("error", reject);
		probe.listen(0, "127.0.0.1", () => {
			const { port } = probe.address();
			probe.close(() => resolve(port));
		});
	});
}

/** Starts `brise serve` and waits until it is ready. stop() ends it, and gives its exit status. */
export async function serve(program, model, options = []) {
	const port = await findPort();
	const url = `http://127.0.0.1:${port}`;
	const child = spawn(program, ["serve", model, "--port", String(port), ...options], {
		stdio: ["ignore", "inherit", "pipe"],
	});
	let log = "";
	child.stderr.on("data", (bytes) => (log += bytes));
	const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)));
	for (let i = 0; ; i++) {
		const ready = await fetch(`${url}/health`).then((r) => r.ok, () => false);
		if (ready) break;
		if (i === 300 || child.exitCode !== null) {
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
