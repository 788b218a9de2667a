// gguf_tekken.mjs - models with a byte-level tokenizer, one as Nemo and one as Ministral 3: exported GGUF files in Hugging Face's reader and in llama.cpp
//
// Tiny checkpoints of random weights with the small tokenizer of test/models/tekken. llama.cpp tells capital from small letters in ASCII only, so texts with
// capitals of other alphabets stay away. In the second model frequencies and queries are scaled, and texts are several times as long as the original length.
// llama.cpp rounds what a matrix is multiplied with to F16, which decides between two tokens that are equally likely to three digits.
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {openLlama} from "../bench/llama.mjs";

const TEKKEN = "test/models/tekken/tekken.json", VOCAB = 2048, DIM = 64, HIDDEN = 96, HEAD = 32, LAYERS = 2, TOKENS = 96, STRINGS = 1000, NEAR = 0.01;
const PROMPTS = ["The tokenizer", "int main(void)", "café, 北京 2024", "A", "Two\n\nlines", "привет"];
const MODELS = {
	llama: {model_type: "mistral", rope_theta: 1e6},
	mistral3: {
		model_type: "ministral3", rope_parameters: {
			rope_type: "yarn", type: "yarn", rope_theta: 1e6, factor: 16, beta_fast: 8, beta_slow: 1, mscale: 1, mscale_all_dim: 1,
			original_max_position_embeddings: 24, llama_4_scaling_beta: 0.1
		}
	}
};

// Lehmer's generator: the same numbers every time.
function drawFrom(seed) {
	let state = seed;

	return n => (state = state * 48271 % 2147483647) % n;
}

// Binary16 of magnitudes 2^low to 2^(low + 3).
function drawWeights(next, n, low) {
	const bits = new Uint16Array(n);

	for (let i = 0; i < n; i++)
		bits[i] = next(2) << 15 | 15 + low + next(3) << 10 | next(1024);
	return Buffer.from(bits.buffer);
}

function makeCheckpoint(folder, config) {
	const next = drawFrom(1964), header = {}, data = [];
	const shapes = {"model.embed_tokens": [VOCAB, DIM], "lm_head": [VOCAB, DIM], "model.norm": [DIM]};
	let size = 0;

	for (let layer = 0; layer < LAYERS; layer++)
		for (const [name, shape] of Object.entries({
			"input_layernorm": [DIM], "post_attention_layernorm": [DIM], "self_attn.q_proj": [4 * HEAD, DIM], "self_attn.k_proj": [2 * HEAD, DIM],
			"self_attn.v_proj": [2 * HEAD, DIM], "self_attn.o_proj": [DIM, 4 * HEAD], "mlp.gate_proj": [HIDDEN, DIM], "mlp.up_proj": [HIDDEN, DIM],
			"mlp.down_proj": [DIM, HIDDEN]
		}))
			shapes[`model.layers.${layer}.${name}`] = shape;
	for (const [name, shape] of Object.entries(shapes)) {
		const bytes = drawWeights(next, shape.reduce((a, b) => a * b), shape.length === 1 ? -1 : -5);

		if (shape.length === 1)
			for (let i = 1; i < bytes.length; i += 2)
				bytes[i] &= 0x7f;
		header[`${name}.weight`] = {dtype: "F16", shape, data_offsets: [size, size += bytes.length]};
		data.push(bytes);
	}
	const text = Buffer.from(JSON.stringify(header)), length = Buffer.alloc(8);

	length.writeBigUInt64LE(BigInt(text.length));
	fs.mkdirSync(folder);
	fs.writeFileSync(path.join(folder, "model.safetensors"), Buffer.concat([length, text, ...data]));
	fs.writeFileSync(path.join(folder, "config.json"), JSON.stringify({
		hidden_size: DIM, num_hidden_layers: LAYERS, num_attention_heads: 4, num_key_value_heads: 2, head_dim: HEAD, intermediate_size: HIDDEN, vocab_size: VOCAB,
		rms_norm_eps: 1e-5, bos_token_id: 1, eos_token_id: 2, sliding_window: null, max_position_embeddings: 4096, ...config
	}));
	fs.copyFileSync(TEKKEN, path.join(folder, "tekken.json"));
}

function drawTexts() {
	const next = drawFrom(2048), pick = list => list[next(list.length)];
	const words = ["the", " the", " Tokenizer", "HTTPServer", "naïve", " café", "ß", "北京", "日本語", "привет", "don't", "_", "0", "12345", "...", "/", "//\n", "\r\n", "\n", "\n\n",
		" ", "   ", "\t", "\u00a0", "🙂", "-->", "<s>", "[INST]", "</s>", "[THINK]", "e.g.", "ʰ", "q", "xyzzy", "ThE", "=".repeat(60)];

	return Array.from({length: STRINGS}, () => Array.from({length: 1 + next(12)}, () => pick(words)).join(""));
}

// What Hugging Face's reader finds, beside what the tekken.json says.
async function checkReader(gguf, file, name, check) {
	const {config, vocab, special_tokens: control} = JSON.parse(fs.readFileSync(TEKKEN));
	const {metadata} = await gguf(file, {allowLocalFile: true}), read = key => metadata[`tokenizer.ggml.${key}`];
	const tokens = read("tokens"), types = read("token_type"), merges = read("merges"), n = config.default_num_special_tokens;
	const ranks = new Map(tokens.map((token, id) => [token, id]).slice(n)), made = merges.map(merge => ranks.get(merge.replace(" ", "")));

	check(`${name}: Hugging Face's reader finds model gpt2 with pre tekken`, metadata["general.architecture"] === name && read("model") === "gpt2" && read("pre") === "tekken" &&
		read("add_bos_token") === true && metadata["brise.tekken_version"] === Number(config.version.slice(1)));
	check(`${name}: and a text and type for every token`, tokens.length === VOCAB && control.every(c => tokens[c.rank] === c.token_str) &&
		types.every((type, id) => type === (id < n ? 3 : 1)) && ranks.size === vocab.length);
	check(`${name}: and merges in the order of the ranks, of every token but the bytes`, made.every((id, i) => id >= (made[i - 1] ?? 0)) &&
		new Set(made).size === vocab.length - 256, `${merges.length} merges`);
}

// Where llama.cpp, after the same tokens, does not choose the likeliest by `logits` [ids][VOCAB]: how far its choice is behind, in standard deviations.
async function findOtherChoices(llama, ids, logits) {
	const found = [];

	llama.forget();
	for (const [i, id] of ids.entries()) {
		const row = logits.subarray(i * VOCAB, (i + 1) * VOCAB), theirs = await llama.evaluate([id], "token"), ours = row.indexOf(row.reduce((a, b) => a > b ? a : b));

		if (theirs !== ours)
			found.push((row[ours] - row[theirs]) / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / VOCAB));
	}
	return found;
}

export async function checkTekken(brise, native, gguf, folder, check) {
	const run = (...words) => execFileSync(brise, words, {encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 28});
	const readIds = text => text.trim().split(/\s+/).filter(Boolean).map(Number), texts = drawTexts(), lines = path.join(folder, "tekken.jsonl");

	fs.writeFileSync(lines, texts.map(text => `${JSON.stringify(text)}\n`).join(""));
	for (const [name, config] of Object.entries(MODELS)) {
		const source = path.join(folder, `${name}-tekken`), [first, file, again] = [".brise", ".gguf", "-again.brise"].map(end => source + end);

		makeCheckpoint(source, config);
		run("convert", source, first, "--type", "f16");
		run("export", first, file);
		run("convert", file, again, "--type", "f16");
		await checkReader(gguf, file, name, check);
		const llama = await openLlama(native, file, {threads: 1, context: 256, kv: "f32", flash: false}), gaps = [];
		let positions = 0;

		for (const control of [false, true]) {
			const ids = [first, again].map(model => run("tokenize", model, "--jsonl", "-f", lines, ...control ? ["--control"] : []).trim().split("\n"));
			const theirs = texts.map(text => `[${[...llama.model.tokenize(text, control)].join()}]`);
			const others = texts.filter((_, i) => ids.some(own => own[i] !== theirs[i]));

			check(`${name}: llama.cpp cuts ${STRINGS} texts for tekken alike, control tokens ${control ? "recognised" : "as text"}`, others.length === 0,
				JSON.stringify(others.slice(0, 3)));
		}
		check(`${name}: llama.cpp knows the begin and end tokens`, llama.model.tokenBos() === 1 && llama.model.tokenEos() === 2);
		for (const text of PROMPTS) {
			const prompt = readIds(run("tokenize", first, "--bos", text)), ids = path.join(folder, "ids"), out = path.join(folder, `${name}.logits`);

			fs.writeFileSync(ids, prompt.join(" "));
			const own = readIds(run("run", first, "--prompt-ids", ids, "-n", String(TOKENS), "--greedy", "--ignore-eos", "--print-ids", "--kv", "f32"));
			fs.writeFileSync(ids, [...prompt, ...own].join(" "));
			run("logits", first, "--ids", ids, "--out", out, "--kv", "f32");
			const bytes = fs.readFileSync(out);
			gaps.push(...await findOtherChoices(llama, [...prompt, ...own], new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)));
			positions += prompt.length + own.length;
		}
		check(`${name}: llama.cpp chooses the same token at every position, or one within ${NEAR} standard deviations`, positions > 500 && gaps.every(gap => gap < NEAR) &&
			gaps.length < positions / 50, `${gaps.length} of ${positions} others, ${gaps.map(gap => gap.toFixed(4))}`);
		await llama.close();
	}
}
