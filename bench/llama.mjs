// llama.mjs - llama.cpp as npm's @node-llama-cpp/linux-x64 ships it, called as directly as
// JavaScript can
//
// node-llama-cpp's own classes read the file's metadata in JavaScript and start a second process to
// try the library out before the first token; here its native module is loaded alone, so that
// nothing but llama.cpp is measured. The calls are those its classes make. bench/install_llama.sh
// installs it.
import {createRequire} from "node:module";
import fs from "node:fs";
import path from "node:path";

const system = `linux-${process.arch}`;

function nativeFolder(modules) {
	return path.join(path.resolve(modules), "@node-llama-cpp", system, "bins", system);
}

// modules: the node_modules folder. Returns the native module, with the library for this processor
// loaded. LLAMA_LOG=1 prints its log.
export async function loadLlama(modules) {
	const folder = nativeFolder(modules), talks = Boolean(process.env.LLAMA_LOG);
	const native = createRequire(import.meta.url)(path.join(folder, "llama-addon.node"));

	native.setLogger((level, message) => (talks || level <= 2) && process.stderr.write(message));
	native.setLoggerLogLevel(talks ? 6 : 2);
	native.loadBackends();
	if (native.getGpuType() == null)
		native.loadBackends(folder);
	await native.init();
	return native;
}

// "llama.cpp v0.5.0 (node-llama-cpp 3.22.1)"
export function nameLlama(modules) {
	const folder = nativeFolder(modules), read = (...name) => JSON.parse(fs.readFileSync(path.join(...name), "utf8"));

	return `llama.cpp ${read(folder, "_nlcBuildMetadata.json").buildOptions.llamaCpp.release} (node-llama-cpp ${read(folder, "..", "..", "package.json").version})`;
}

// A model with one sequence. Options: threads, context, batch, flash (bool or "auto"), mmap (bool),
// kv ("f16" or "f32").
export async function openLlama(native, file, options) {
	const kv = native.getGgmlType(options.kv ?? "f16");
	const model = new native.AddonModel(file, {addonExports: native, gpuLayers: 0, useMmap: options.mmap ?? true, checkTensors: false});
	if (!await model.init())
		throw new Error(`${file}: llama.cpp does not load it`);
	const context = new native.AddonContext(model, {
		contextSize: options.context, batchSize: options.batch ?? 512, sequences: 1, threads: options.threads, flashAttention: options.flash ?? "auto",
		kvCacheKeyType: kv, kvCacheValueType: kv
	});
	if (!await context.init())
		throw new Error(`${file}: llama.cpp makes no context`);
	const sampler = new native.AddonSampler(model);
	sampler.applyConfig({temperature: 0});
	let position = 0;

	return {
		model,
		// Evaluates ids that follow the others, at most `batch`. wanted: "nothing", the
		// last one's "logits" (which stay inside), or the likeliest next "token", which is
		// returned.
		async evaluate(ids, wanted) {
			context.initBatch(ids.length);
			const at = context.addToBatch(0, position, Uint32Array.from(ids), Uint32Array.from(wanted === "nothing" ? [] : [ids.length - 1]));

			await context.decodeBatch();
			position += ids.length;
			return wanted === "token" ? await context.sampleToken(at[0], sampler) : -1;
		},
		forget() {
			context.disposeSequence(0);
			position = 0;
		},
		async close() {
			await context.dispose();
			await model.dispose();
		}
	};
}
