// run.mjs - clients that others wrote, unchanged, against brise serve
//
// usage: node run.mjs BRISE SPEAKS CALLS THINKS
//
// SPEAKS is a model with a format of conversations, CALLS one that has the tokens for tools
// (calling_model.py), THINKS one that has those for reasoning. Prints "clients: N passed, N failed, N skipped".
import { counts, serve, test } from "./harness.mjs";

const modules = ["openai.mjs", "responses.mjs", "anthropic.mjs", "ai.mjs", "langchain.mjs", "curl.mjs", "thinking.mjs"];
const [program, speaks, calls, thinks] = process.argv.slice(2);

async function serveAll(model, name) {
	const server = await serve(program, model);
	for (const file of modules) {
		const module = await import(`./${file}`);
		if (module[name]) await module[name](server.url);
	}
	await test(`${name}: the server ends`, async () => {
		const status = await server.stop();
		if (status !== 0 && status !== 143) throw new Error(`status ${status}\n${server.log()}`);
	});
}

await serveAll(speaks, "run");
await serveAll(calls, "runTools");
await serveAll(thinks, "runThoughts");
console.log(`clients: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed > 0 ? 1 : 0);
