// llama_run.mjs MODULES FILE THREADS FLASH VOCAB PROMPT GENERATE - llama.cpp evaluates a prompt and
// tokens after it; the process that bench/peers.mjs measures
//
// FLASH is on or off. With GENERATE 1 it prints the likeliest token after the prompt; else a line
// of JSON: tokens per second of the prompt, whose logits nobody asks for, and of single tokens (the
// median). Ids are those of brise bench, below VOCAB.
import {loadLlama, openLlama} from "./llama.mjs";

const [modules, file] = process.argv.slice(2, 4), flash = process.argv[5] === "on";
const [threads, vocab, prompt, generate] = [4, 6, 7, 8].map(i => Number(process.argv[i]));
const BATCH = 512;

const promptId = i => i * 7919 % vocab, nextId = i => i * 104729 % vocab;

async function measureSpeed(llama) {
	const ids = Array.from({length: prompt}, (_, i) => promptId(i)), seconds = [];
	let start;

	await llama.evaluate([0], "logits"); // a first pass that is not measured, as in brise bench
	llama.forget();
	start = performance.now();
	for (let i = 0; i < prompt; i += BATCH)
		await llama.evaluate(ids.slice(i, i + BATCH), "nothing");
	const prefill = prompt / (performance.now() - start) * 1000;

	for (let i = 0; i < generate; i++) {
		start = performance.now();
		await llama.evaluate([nextId(i)], "logits");
		seconds.push((performance.now() - start) / 1000);
	}
	seconds.sort((a, b) => a - b);
	return {prefill, decode: 1 / ((seconds[generate / 2 - 1 | 0] + seconds[generate / 2 | 0]) / 2)};
}

const native = await loadLlama(modules);
// Room for what is evaluated, which favours llama.cpp: brise's cache has its whole window.
const llama = await openLlama(native, file, {threads, flash, batch: BATCH, context: Math.ceil((prompt + generate + 1) / 256) * 256});

if (generate <= 1)
	console.log(await llama.evaluate(Array.from({length: prompt}, (_, i) => promptId(i)), "token"));
else
	console.log(JSON.stringify(await measureSpeed(llama)));
await llama.close();
process.exit(0);
