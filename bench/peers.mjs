// peers.mjs BRISE MODULES THREADS ROUNDS MODEL=GGUF... - brise and llama.cpp alternately, as one
// table in Markdown
//
// Each MODEL is a .brise file, its GGUF the same weights in the type compared with. In every round
// both evaluate a prompt of 512 tokens and 64 tokens one by one (speed), the same in a fresh
// process that is watched from outside (memory), and a prompt of 20 from the start of a process to
// its first token. Before each the file is read once, so that its pages are in memory. Figures are
// medians over rounds. llama.cpp runs with or without flash attention, whichever is faster in a
// trial before the rounds.
import {execFileSync, spawn} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {nameLlama} from "./llama.mjs";

const [brise, modules, threads, rounds, ...pairs] = process.argv.slice(2);
const PROMPT = 512, GENERATE = 64, SHORT_PROMPT = 20, POLL_MS = 2;
const llamaRun = path.join(path.dirname(fileURLToPath(import.meta.url)), "llama_run.mjs");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "brise-peers-"));

process.on("exit", () => fs.rmSync(folder, {recursive: true, force: true}));
for (const signal of ["SIGINT", "SIGTERM"])
	process.on(signal, () => process.exit(1));

const say = text => process.stderr.write(`peers: ${text}\n`);
const median = values => values.sort((a, b) => a - b)[values.length >> 1];
const readJson = words => JSON.parse(execFileSync(words[0], words.slice(1), {encoding: "utf8", stdio: ["ignore", "pipe", "inherit"]}));

function readThrough(file) {
	execFileSync("cat", [file], {stdio: ["ignore", "ignore", "inherit"]});
}

function idsFile(n, vocab) {
	const name = path.join(folder, `ids-${n}`);

	fs.writeFileSync(name, Array.from({length: n}, (_, i) => i * 7919 % vocab).join("\n") + "\n");
	return name;
}

// Bytes of a line of /proc/PID/status; 0 once the process is gone.
function memoryOf(pid, line) {
	try {
		return 1024 * Number(new RegExp(`^${line}:\\s+(\\d+)`, "m").exec(fs.readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0);
	} catch {
		return 0;
	}
}

// Seconds from the start of a process to the first byte it prints, and the most memory it had:
// anonymous, and resident with the mapped file.
function watch(words) {
	return new Promise((resolve, reject) => {
		const seen = {first: 0, anonymous: 0, resident: 0, output: ""};
		const start = performance.now(), child = spawn(words[0], words.slice(1), {stdio: ["ignore", "pipe", "inherit"]});
		const look = () => {
			seen.anonymous = Math.max(seen.anonymous, memoryOf(child.pid, "RssAnon"));
			seen.resident = Math.max(seen.resident, memoryOf(child.pid, "VmRSS"));
		};
		const timer = setInterval(look, POLL_MS);

		child.stdout.on("data", data => {
			look();
			seen.first ||= (performance.now() - start) / 1000;
			seen.output += data;
		});
		child.on("error", reject);
		child.on("close", code => {
			clearInterval(timer);
			code === 0 && seen.first > 0 ? resolve(seen) : reject(new Error(`${words.join(" ")}: status ${code}`));
		});
	});
}

// ---- the two programs -------------------------------------------------------------------------------------------------------

function makeBrise(model) {
	const run = (n, generate) => [brise, "run", model, "--prompt-ids", idsFile(n, vocab), "-n", `${generate}`, "--greedy", "--ignore-eos", "--print-ids",
		"-t", threads];
	const vocab = readJson([brise, "info", model, "--json"]).vocab;

	return {
		file: model,
		async round() {
			const speed = readJson([brise, "bench", model, "-p", `${PROMPT}`, "-n", `${GENERATE}`, "-t", threads, "--no-start", "--json"]);
			const memory = await watch(run(PROMPT, GENERATE)), start = await watch(run(SHORT_PROMPT, 1));

			return {prefill: speed.prefill_tokens_per_s, decode: speed.decode_tokens_per_s, start: start.first, anonymous: memory.anonymous, resident: memory.resident};
		}
	};
}

async function makeLlama(gguf, vocab) {
	const run = (flash, prompt, generate) => [process.execPath, llamaRun, modules, gguf, threads, flash, vocab, prompt, generate].map(String);
	const trials = [];

	for (const flash of ["on", "off"]) {
		const {prefill, decode} = JSON.parse((await watch(run(flash, PROMPT, 16))).output);

		trials.push({flash, seconds: PROMPT / prefill + GENERATE / decode});
	}
	const {flash} = trials.sort((a, b) => a.seconds - b.seconds)[0];

	return {
		file: gguf,
		flash,
		async round() {
			const speed = await watch(run(flash, PROMPT, GENERATE)), start = await watch(run(flash, SHORT_PROMPT, 1));

			return {...JSON.parse(speed.output), start: start.first, anonymous: speed.anonymous, resident: speed.resident};
		}
	};
}

async function comparePair(pair) {
	const [model, gguf] = pair.split("=");
	const facts = readJson([brise, "info", model, "--json"]);
	const ours = makeBrise(model), theirs = await makeLlama(gguf, facts.vocab), found = new Map([[ours, []], [theirs, []]]);

	for (let i = 0; i < rounds; i++)
		for (const program of [ours, theirs]) {
			readThrough(program.file);
			const result = await program.round();

			found.get(program).push(result);
			say(`${path.basename(program.file)}, round ${i + 1}: ${JSON.stringify(result, (_, x) => typeof x === "number" ? Number(x.toPrecision(4)) : x)}`);
		}
	const summary = program => ({
		bytes: fs.statSync(program.file).size,
		...Object.fromEntries(Object.keys(found.get(program)[0]).map(key => [key, median(found.get(program).map(r => r[key]))]))
	});

	return {type: facts.type, ggml: /-(\w+)\.gguf$/.exec(gguf)[1].toUpperCase(), flash: theirs.flash, ours: summary(ours), theirs: summary(theirs)};
}

// ---- the table --------------------------------------------------------------------------------------------------------------

const digits = (x, n) => x < 10 ** n ? x.toPrecision(n) : x.toFixed(0);
const size = x => x < 1e9 ? `${(x / 1e6).toFixed(0)} MB` : `${(x / 1e9).toFixed(2)} GB`;
const ROWS = [
	[`prompt of ${PROMPT}, tokens/s`, "prefill", x => digits(x, 3), true],
	[`${GENERATE} tokens one by one, tokens/s`, "decode", x => digits(x, 3), true],
	[`start to first token, prompt of ${SHORT_PROMPT}`, "start", x => `${digits(x, 2)} s`, false],
	["anonymous memory, peak", "anonymous", size, false],
	["resident memory, peak, file included", "resident", size, false],
	["file", "bytes", size, false],
];

function printTable(results, node) {
	const cells = result => ROWS.map(([, key, show, more]) => {
		const ratio = more ? result.ours[key] / result.theirs[key] : result.theirs[key] / result.ours[key];

		return [show(result.theirs[key]), show(result.ours[key]), `${digits(ratio, 2)} x`];
	});
	const columns = results.map(cells);

	console.log(`| | ${results.map(r => `llama.cpp ${r.ggml} | brise ${r.type} | brise better`).join(" | ")} |`);
	console.log(`|---|${results.map(() => "---|---|---|").join("")}`);
	ROWS.forEach(([name], i) => console.log(`| ${name} | ${columns.map(c => c[i].join(" | ")).join(" | ")} |`));
	console.log(`\n${nameLlama(modules)}, CPU only, batch of 512, f16 keys and values, mmap, `
		+ `flash attention ${results.map(r => `${r.flash} for ${r.ggml}`).join(", ")}; ${execFileSync(brise, ["--version"], {encoding: "utf8"}).trim()}, int8 keys and values.\n`
		+ `${os.cpus()[0].model}, ${threads} threads each, alternately; medians of ${rounds}.\n`
		+ `Of llama.cpp's memory, ${size(node.anonymous)} (resident ${size(node.resident)}) are Node.js.`);
}

const results = [];

for (const pair of pairs)
	results.push(await comparePair(pair));
printTable(results, await watch([process.execPath, "-e", "console.log(0); setTimeout(() => {}, 100)"]));
