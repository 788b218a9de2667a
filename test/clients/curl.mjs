// curl.mjs - curl as Debian has it
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { skip, test } from "./harness.mjs";

const execute = promisify(execFile);

async function curl(...options) {
	const { stdout } = await execute("curl", ["-sS", "--max-time", "50", ...options]);
	return stdout;
}

export async function run(url) {
	if (!(await execute("curl", ["--version"]).then(() => true, () => false))) {
		skip("curl", "it is not installed");
		return;
	}
	const post = (path, body, ...options) => curl(`${url}${path}`, "-H", "Content-Type: application/json", "-d",
		typeof body === "string" ? body : JSON.stringify(body), ...options);
	const ask = { messages: [{ role: "user", content: "Hello" }], max_tokens: 8, temperature: 0 };

	await test("curl: chat", async () => {
		const reply = JSON.parse(await post("/v1/chat/completions", ask));
		assert.ok(reply.choices[0].message.content.length > 0);
		assert.deepEqual(JSON.parse(await post("/chat/completions", ask)).choices, reply.choices);
		const stream = await post("/v1/chat/completions", { ...ask, stream: true }, "-N");
		assert.ok(stream.endsWith("\n\ndata: [DONE]\n\n"), stream);
		const chunks = stream.trim().split("\n\n").slice(0, -1).map((line) => JSON.parse(line.replace(/^data: /, "")));
		assert.equal(chunks.map((c) => c.choices[0].delta.content ?? "").join(""), reply.choices[0].message.content);
	});
	await test("curl: HTTP/1.0, chunked requests, a body after 100 Continue", async () => {
		const plain = JSON.parse(await post("/v1/chat/completions", ask)).choices;
		assert.deepEqual(JSON.parse(await post("/v1/chat/completions", ask, "--http1.0")).choices, plain);
		assert.deepEqual(JSON.parse(await post("/v1/chat/completions", ask, "-H", "Transfer-Encoding: chunked")).choices, plain);
		assert.deepEqual(JSON.parse(await post("/v1/chat/completions", ask, "-H", "Expect: 100-continue")).choices, plain);
	});
	await test("curl: tokens there and back", async () => {
		const { tokens } = JSON.parse(await post("/tokenize", { content: "Hello there" }));
		assert.equal(JSON.parse(await post("/detokenize", { tokens })).content, "Hello there");
	});
	await test("curl: errors have their status", async () => {
		const status = (...options) => curl("-o", "/dev/null", "-w", "%{http_code}", ...options);
		assert.equal(await status(`${url}/v1/chat/completions`, "-d", "{"), "400");
		assert.equal(await status(`${url}/v1/chat/completions`, "-d", "{}"), "400");
		assert.equal(await status(`${url}/v1/nothing`), "404");
		assert.equal(await status(`${url}/v1/chat/completions`), "405");
	});
}
