// compare_gguf.mjs BRISE MODULES FOLDER - exported GGUF files, read by npm's @huggingface/gguf and
// run by llama.cpp
//
// The model is test/models/breeze. Both programs keep keys and values unquantized and choose the
// likeliest token: from the F16 file they must write the same text. Its window of 256 positions,
// which llama.cpp does not know, is never filled.
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {loadLlama, nameLlama, openLlama} from "../bench/llama.mjs";
import {checkAddedTokens} from "./gguf_added_tokens.mjs";
import {checkTekken} from "./gguf_tekken.mjs";

const [brise, modules, folder] = process.argv.slice(2);
const {gguf} = await import(path.resolve(modules, "@huggingface/gguf/dist/index.js"));
const run = (...words) => execFileSync(brise, words, {encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 28});
const counts = {passed: 0, failed: 0};

function check(statement, holds, note = "") {
	counts[holds ? "passed" : "failed"]++;
	console.error(`${holds ? "ok     " : "FAILED:"} ${statement} ${note}`);
}

const TYPES = {f16: {number: 1, bits: 16}, q8_0: {number: 8, bits: 8.5}, q4_0: {number: 2, bits: 4.5}};
const TOKENS = 64;
const PROMPTS = [
	"The file is", "To compile a program,", "A variable in the shell", "This manual describes", "int main(void)", "When an error occurs, the command", "The user may",
	"In this chapter we",
];
const TEXTS = [...PROMPTS, "", " ", "  two spaces", "tabs\tand\nlines\n\n", "naïve Grüße — 日本語 🙂", "x".repeat(200), "0123456789", "a<s>b</s>", "\u2581\u2581"];

const model = path.join(folder, "breeze.brise");
run("convert", "test/models/breeze", model, "--type", "f16");
const facts = JSON.parse(run("info", model, "--json", "--tensors"));
const files = Object.fromEntries(Object.keys(TYPES).map(type => {
	const file = path.join(folder, `breeze-${type}.gguf`);

	run("export", model, file, "--type", type);
	return [type, file];
}));

// ---- the reader ---------------------------------------------------------------------------------------------------------

const NAMES = {embedding: "token_embd", final_norm: "output_norm", output: "output", attention_norm: "attn_norm", wq: "attn_q", wk: "attn_k", wv: "attn_v",
	wo: "attn_output", ffn_norm: "ffn_norm", w1: "ffn_gate", w3: "ffn_up", w2: "ffn_down"};

function ggufName(name) {
	const [, layer, kind] = /^(?:layers\.(\d+)\.)?(\w+)$/.exec(name);

	return `${layer === undefined ? "" : `blk.${layer}.`}${NAMES[kind]}.weight`;
}

function expectedMetadata(type) {
	return {
		"version": 3, "general.architecture": "llama", "general.file_type": {f16: 1, q8_0: 7, q4_0: 2}[type], "llama.vocab_size": facts.vocab,
		"llama.context_length": facts.max_context, "llama.embedding_length": facts.dim, "llama.block_count": facts.n_layers,
		"llama.feed_forward_length": facts.hidden_dim, "llama.attention.head_count": facts.n_heads, "llama.attention.head_count_kv": facts.n_kv_heads,
		"llama.attention.layer_norm_rms_epsilon": Math.fround(facts.norm_eps), "llama.attention.sliding_window": facts.window,
		"llama.rope.dimension_count": facts.head_dim, "llama.rope.freq_base": facts.rope_theta, "tokenizer.ggml.model": "llama",
		"tokenizer.ggml.bos_token_id": facts.bos, "tokenizer.ggml.eos_token_id": facts.eos, "tokenizer.ggml.add_bos_token": true,
	};
}

async function checkReader(type) {
	const {metadata, tensorInfos, tensorDataOffset} = await gguf(files[type], {allowLocalFile: true});
	const wrong = Object.entries(expectedMetadata(type)).filter(([key, value]) => metadata[key] !== value).map(([key]) => `${key} ${metadata[key]}`);
	const bytes = t => Number(t.shape.reduce((a, b) => a * b)) * (t.dtype === 0 ? 32 : TYPES[type].bits) / 8;
	const last = tensorInfos.reduce((a, b) => a.offset > b.offset ? a : b);
	const end = Number(tensorDataOffset) + Number(last.offset) + bytes(last);

	check(`${type}: Hugging Face's reader finds the model's configuration`, wrong.length === 0, wrong.join(", "));
	check(`${type}: and a piece, score and type for every token`, ["tokens", "scores", "token_type"].every(k => metadata[`tokenizer.ggml.${k}`].length === facts.vocab));
	const found = new Map(tensorInfos.map(t => [t.name, t]));
	const bad = facts.tensors.filter(t => {
		const other = found.get(ggufName(t.name)), vector = t.type === "f32";

		return !other || other.dtype !== (vector ? 0 : TYPES[type].number) || other.shape.map(Number).join() !== (vector ? [t.cols] : [t.cols, t.rows]).join();
	});
	check(`${type}: and every tensor with its shape and type`, bad.length === 0 && found.size === facts.tensors.length, bad.map(t => t.name).join(", "));
	check(`${type}: and data that end where the file ends`, Math.ceil(end / 32) * 32 === fs.statSync(files[type]).size, `${end}`);
}

// ---- llama.cpp ----------------------------------------------------------------------------------------------------------

async function writeGreedily(llama, prompt) {
	const ids = [];

	llama.forget();
	for (let next = await llama.evaluate(prompt, "token"); ids.length < TOKENS; next = await llama.evaluate([next], "token"))
		ids.push(next);
	return ids;
}

// How many tokens of `ids` llama.cpp would choose itself, after the ones before.
async function countAgreements(llama, prompt, ids) {
	let agreed = 0, next;

	llama.forget();
	next = await llama.evaluate(prompt, "token");
	for (const id of ids) {
		agreed += next === id;
		next = await llama.evaluate([id], "token");
	}
	return agreed;
}

const readIds = text => text.trim().split(/\s+/).filter(Boolean).map(Number);
const prompts = PROMPTS.map(text => readIds(run("tokenize", model, "--bos", text)));
const own = prompts.map(ids => {
	const file = path.join(folder, "ids");

	fs.writeFileSync(file, ids.join(" "));
	return readIds(run("run", model, "--prompt-ids", file, "-n", String(TOKENS), "--greedy", "--ignore-eos", "--print-ids", "--kv", "f32"));
});

function checkTokenizer(llama) {
	const wrong = TEXTS.filter(text => {
		fs.writeFileSync(path.join(folder, "text"), text);
		return [...llama.model.tokenize(text, false)].join() !== readIds(run("tokenize", model, "-f", path.join(folder, "text"))).join();
	});

	check("llama.cpp cuts text into the same tokens", wrong.length === 0, JSON.stringify(wrong.slice(0, 3)));
	check("llama.cpp knows the begin and end tokens", llama.model.tokenBos() === facts.bos && llama.model.tokenEos() === facts.eos);
}

async function checkSameText(llama) {
	const wrong = [];

	for (const [i, prompt] of prompts.entries())
		if ((await writeGreedily(llama, prompt)).join() !== own[i].join())
			wrong.push(PROMPTS[i]);
	check(`f16: llama.cpp writes the same ${TOKENS} tokens after ${prompts.length} prompts`, wrong.length === 0, wrong.join(" | "));
}

async function checkMostAgree(llama, type, least) {
	let agreed = 0;

	for (const [i, prompt] of prompts.entries())
		agreed += await countAgreements(llama, prompt, own[i]);
	const share = agreed / prompts.length / TOKENS;
	check(`${type}: llama.cpp chooses at least ${100 * least} % of the tokens that brise chooses from f16`, share >= least, `${(100 * share).toFixed(1)} %`);
}

const native = await loadLlama(modules);

console.error(nameLlama(modules));
// One thread: where others use the cores too, its threads would wait for each other at every step.
for (const type of Object.keys(TYPES)) {
	await checkReader(type);
	const llama = await openLlama(native, files[type], {threads: 1, context: 256, kv: "f32", flash: false});
	if (type === "f16") {
		checkTokenizer(llama);
		await checkSameText(llama);
	}
	await checkMostAgree(llama, type, {f16: 1, q8_0: 0.97, q4_0: 0.8}[type]);
	await llama.close();
}
await checkAddedTokens(brise, native, folder, check);
await checkTekken(brise, native, gguf, folder, check);
console.log(`compare_gguf: ${counts.passed} passed, ${counts.failed} failed, 0 skipped`);
process.exit(counts.failed || !counts.passed ? 1 : 0);
