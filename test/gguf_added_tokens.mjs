// gguf_added_tokens.mjs - text beside added tokens and the end of a generation: an exported GGUF file in llama.cpp, and converted again
//
// A tiny checkpoint of zeros with breeze's tokenizer and tokens added by tokenizer_config.json. Ten thousand texts with these tokens at beginnings, ends and side
// by side must give the same ids in both programs, with control tokens recognised and without; and the tokens that end a generation must be the same.
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {openLlama} from "../bench/llama.mjs";

const DIM = 32, BASE = 4096, TEXTS = 10000;
const ADDED = [["<|im_end|>", true], ["<|im_start|>", false], ["<tool call>", false], ["<|eot_id|>", true], ["[NOTE]", true]];

function makeCheckpoint(folder, vocab) {
	const layer = "model.layers.0.", matrices = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"];
	const shapes = {"model.embed_tokens": [vocab, DIM], "lm_head": [vocab, DIM], "model.norm": [DIM], [`${layer}input_layernorm`]: [DIM],
		[`${layer}post_attention_layernorm`]: [DIM], ...Object.fromEntries(matrices.map(m => [layer + m, [DIM, DIM]]))};
	const header = {};
	let size = 0;

	for (const [name, shape] of Object.entries(shapes)) {
		const end = size + 2 * shape.reduce((a, b) => a * b);

		header[`${name}.weight`] = {dtype: "F16", shape, data_offsets: [size, end]};
		size = end;
	}
	const text = Buffer.from(JSON.stringify(header)), length = Buffer.alloc(8);

	length.writeBigUInt64LE(BigInt(text.length));
	fs.writeFileSync(path.join(folder, "model.safetensors"), Buffer.concat([length, text, Buffer.alloc(size)]));
	fs.writeFileSync(path.join(folder, "config.json"), JSON.stringify({
		model_type: "mistral", hidden_size: DIM, num_hidden_layers: 1, num_attention_heads: 1, num_key_value_heads: 1, intermediate_size: DIM, vocab_size: vocab,
		rms_norm_eps: 1e-5, bos_token_id: 1, eos_token_id: 2, sliding_window: null
	}));
	fs.writeFileSync(path.join(folder, "tokenizer_config.json"), JSON.stringify({
		added_tokens_decoder: Object.fromEntries(ADDED.map(([content, special], i) => [BASE + i, {content, special, normalized: false}]))
	}));
	fs.copyFileSync("test/models/breeze/tokenizer.model", path.join(folder, "tokenizer.model"));
}

// The same texts every time: Lehmer's generator.
function drawTexts() {
	let state = 1508;
	const next = n => (state = state * 48271 % 2147483647) % n, pick = list => list[next(list.length)];
	const tokens = [...ADDED.map(([text]) => text), "</s>", "<s>", "<unk>"], spaces = ["", "", " ", " ", "  ", "\n", "\t", "\u00a0"];
	const words = ["the", "file", "naïve", "日本", "x", "0.5", "int main(void)", "command", "🙂", "end"];

	return Array.from({length: TEXTS}, () => {
		const n = 1 + next(8);

		return Array.from({length: n}, () => pick(spaces) + pick(next(2) ? tokens : words)).join("") + pick(spaces);
	});
}

export async function checkAddedTokens(brise, native, folder, check) {
	const source = path.join(folder, "added"), texts = drawTexts();
	const run = (...words) => execFileSync(brise, words, {encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 1 << 28});
	const files = ["first.brise", "first.gguf", "again.brise", "texts.jsonl"].map(name => path.join(folder, name));

	fs.writeFileSync(files[3], texts.map(text => `${JSON.stringify(text)}\n`).join(""));

	fs.mkdirSync(source);
	makeCheckpoint(source, BASE + ADDED.length);
	run("convert", source, files[0], "--type", "f16");
	run("export", files[0], files[1]);
	run("convert", files[1], files[2], "--type", "f16");
	const llama = await openLlama(native, files[1], {threads: 1, context: 256, kv: "f32", flash: false});

	for (const [file, what] of [[files[0], "exported"], [files[2], "exported and converted again"]]) {
		for (const control of [true, false]) {
			const ids = run("tokenize", file, "--jsonl", "-f", files[3], ...control ? ["--control"] : []).trim().split("\n");
			const wrong = texts.filter((text, i) => `[${[...llama.model.tokenize(text, control)].join()}]` !== ids[i]);

			check(`${what}: llama.cpp cuts ${TEXTS} texts beside added tokens alike, control tokens ${control ? "recognised" : "as text"}`, wrong.length === 0,
				JSON.stringify(wrong.slice(0, 3)));
		}
		const ends = JSON.parse(run("info", file, "--json")).ends;
		const theirs = Array.from({length: BASE + ADDED.length}, (_, id) => id).filter(id => llama.model.isEogToken(id));

		check(`${what}: llama.cpp ends a generation at the same tokens`, ends.sort((a, b) => a - b).join() === theirs.join(), `${ends} and ${theirs}`);
	}
	await llama.close();
}
