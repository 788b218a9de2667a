// openai.mjs - the npm package openai: chat, streams, tools, schemas, completions, embeddings, abort
import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { sleep, test } from "./harness.mjs";
import { loadType, readChunks } from "./schemas.mjs";

const question = [{ role: "user", content: "What is the capital of France?" }];
const tools = [
	{
		type: "function",
		function: {
			name: "get_weather",
			description: "The weather at a place",
			parameters: {
				type: "object",
				properties: { place: { type: "string", maxLength: 12 }, unit: { enum: ["C", "F"] } },
				required: ["place", "unit"],
				additionalProperties: false,
			},
		},
	},
];

async function collect(stream) {
	const chunks = [];
	for await (const chunk of stream) chunks.push(chunk);
	return chunks;
}

async function testChat(client) {
	const ask = { model: "breeze", messages: question, max_tokens: 12, seed: 7, temperature: 0.8 };
	let whole;

	await test("openai: chat", async () => {
		whole = await client.chat.completions.create(ask);
		const [choice] = whole.choices;
		assert.equal(whole.object, "chat.completion");
		assert.equal(whole.model, "breeze");
		assert.match(whole.id, /^chatcmpl-/);
		assert.ok(Math.abs(whole.created - Date.now() / 1000) < 60);
		assert.equal(choice.message.role, "assistant");
		assert.equal(choice.message.refusal, null);
		assert.ok(choice.message.content.length > 0);
		assert.ok(["stop", "length"].includes(choice.finish_reason));
		assert.ok(whole.usage.completion_tokens > 0 && whole.usage.completion_tokens <= 12);
		assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
	});
	await test("openai: a stream has the same text, and its usage", async () => {
		const chunks = await collect(
			await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }));
		const text = chunks.map((c) => c.choices[0]?.delta?.content ?? "").join("");
		assert.equal(text, whole.choices[0].message.content);
		assert.equal(chunks[0].choices[0].delta.role, "assistant");
		assert.deepEqual(chunks.at(-1).choices, []);
		assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
		assert.equal(chunks.at(-2).choices[0].finish_reason, whole.choices[0].finish_reason);
		assert.ok(chunks.every((c) => c.id === chunks[0].id && c.object === "chat.completion.chunk"));
	});
	await test("openai: the helper for streams", async () => {
		const stream = client.chat.completions.stream(ask);
		const last = await stream.finalChatCompletion();
		assert.equal(last.choices[0].message.content, whole.choices[0].message.content);
	});
	await test("openai: a second turn takes its prompt from the cache", async () => {
		const next = await client.chat.completions.create({
			...ask,
			messages: [...question, whole.choices[0].message, { role: "user", content: "And of Italy?" }],
		});
		assert.ok(next.usage.prompt_tokens_details.cached_tokens >= whole.usage.prompt_tokens - 8,
			JSON.stringify(next.usage));
	});
	await test("openai: stop texts, several answers, biases", async () => {
		const stop = whole.choices[0].message.content.slice(3, 5);
		const cut = await client.chat.completions.create({ ...ask, stop: [stop] });
		assert.equal(cut.choices[0].message.content,
			whole.choices[0].message.content.slice(0, whole.choices[0].message.content.indexOf(stop)));
		assert.equal(cut.choices[0].finish_reason, "stop");
		const three = await client.chat.completions.create({ ...ask, n: 3 });
		assert.deepEqual(three.choices.map((c) => c.index), [0, 1, 2]);
		assert.equal(three.choices[0].message.content, whole.choices[0].message.content);
		const only = await client.chat.completions.create({ ...ask, logit_bias: { 500: 100 }, temperature: 0, max_tokens: 3,
			logprobs: true });
		assert.equal(new Set(only.choices[0].logprobs.content.map((t) => t.token)).size, 1);
	});
	await test("openai: logprobs", async () => {
		const reply = await client.chat.completions.create({ ...ask, temperature: 0, logprobs: true, top_logprobs: 4 });
		const { content } = reply.choices[0].logprobs;
		assert.ok(content.length > 0);
		for (const token of content) {
			assert.equal(token.top_logprobs.length, 4);
			assert.equal(token.top_logprobs[0].logprob, token.logprob); // greedy: the likeliest
			assert.ok(token.logprob <= 0);
		}
		const bytes = Buffer.from(content.flatMap((t) => t.bytes ?? [])).toString();
		assert.equal(bytes.trim(), reply.choices[0].message.content.trim());
	});
}

async function testForms(client) {
	const ask = { model: "breeze", messages: question, max_tokens: 200, temperature: 1, seed: 3 };

	await test("openai: a schema", async () => {
		const schema = z.object({ city: z.string().max(10), big: z.boolean(), size: z.int().min(0).max(99) });
		const reply = await client.chat.completions.parse({ ...ask, response_format: zodResponseFormat(schema, "city") });
		assert.equal(reply.choices[0].finish_reason, "stop");
		schema.parse(reply.choices[0].message.parsed);
	});
	await test("openai: any JSON object, a prefix where it is cut off", async () => {
		const reply = await client.chat.completions.create({ ...ask, response_format: { type: "json_object" } });
		if (reply.choices[0].finish_reason === "stop")
			assert.equal(typeof JSON.parse(reply.choices[0].message.content), "object");
		else
			assert.match(reply.choices[0].message.content, /^\s*\{/);
	});
	await test("openai: a grammar", async () => {
		const reply = await client.chat.completions.create({ ...ask, grammar: 'root ::= "yes" | "no"' });
		assert.match(reply.choices[0].message.content, /^(yes|no)$/);
	});
}

async function checkChat(url, body) {
	const whole = await (await fetch(`${url}/v1/chat/completions`, { method: "POST", body: JSON.stringify(body) })).json();
	loadType("ChatCompletion")(whole);
	const chunks = await readChunks(url, "/v1/chat/completions", { ...body, stream: true, stream_options: { include_usage: true } });
	chunks.forEach(loadType("ChatCompletionChunk"));
	return chunks;
}

async function testTypes(url) {
	await test("openai: replies and chunks are of the types that the package declares", async () => {
		await checkChat(url, { model: "breeze", messages: question, max_tokens: 6, n: 2, seed: 3, logprobs: true, top_logprobs: 2 });
		const ask = { model: "breeze", prompt: "The", max_tokens: 6, n: 2, seed: 3, logprobs: 2 };
		const check = loadType("Completion");
		check(await (await fetch(`${url}/v1/completions`, { method: "POST", body: JSON.stringify(ask) })).json());
		const chunks = await readChunks(url, "/v1/completions", { ...ask, stream: true });
		/* before the last one it is null, which the type of whole replies does not have */
		chunks.forEach((c) => check({ ...c, choices: c.choices.map((choice) => ({ ...choice, finish_reason: choice.finish_reason ?? "stop" })) }));
	});
}

async function testErrors(client, url) {
	await test("openai: errors name the field", async () => {
		await assert.rejects(client.chat.completions.create({ model: "breeze", messages: question, temperature: "hot" }),
			(error) => error instanceof OpenAI.BadRequestError && error.param === "temperature" &&
				error.code === "invalid_type" && error.type === "invalid_request_error");
		await assert.rejects(client.chat.completions.create({ model: "breeze", messages: [{ role: "user", content:
			[{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] }] }),
			(error) => error instanceof OpenAI.BadRequestError && /image_url/.test(error.message));
	});
	await test("openai: a client that aborts frees its place", async () => {
		const busy = async () =>
			Number((await (await fetch(`${url}/metrics`)).text()).match(/^brise_jobs_running (\d+)$/m)[1]);
		const stream = await client.chat.completions.create({ model: "breeze", messages: question, stream: true,
			max_tokens: 1_000_000, ignore_eos: true });
		let pieces = 0;
		for await (const chunk of stream) {
			if (chunk.choices[0]?.delta?.content && ++pieces === 3) {
				assert.equal(await busy(), 1);
				break; // which aborts the request
			}
		}
		for (let i = 0; i < 50 && (await busy()) > 0; i++) await sleep(20);
		assert.equal(await busy(), 0);
	});
}

async function testTexts(client) {
	await test("openai: completions", async () => {
		const ask = { model: "breeze", prompt: ["Once upon a time", "The"], max_tokens: 6, temperature: 0 };
		const reply = await client.completions.create(ask);
		assert.deepEqual(reply.choices.map((c) => c.index), [0, 1]);
		const alone = await client.completions.create({ ...ask, prompt: "The", echo: true });
		assert.equal(alone.choices[0].text, `The${reply.choices[1].text}`);
		const chunks = await collect(await client.completions.create({ ...ask, prompt: "The", stream: true }));
		assert.equal(chunks.map((c) => c.choices[0].text).join(""), reply.choices[1].text);
		const logprobs = await client.completions.create({ ...ask, prompt: "The", logprobs: 2 });
		assert.equal(logprobs.choices[0].logprobs.tokens.join(""), logprobs.choices[0].text);
	});
	await test("openai: embeddings, which the client asks for in base64", async () => {
		const two = await client.embeddings.create({ model: "breeze", input: ["The sea is blue.", "A stock"] });
		assert.equal(two.data.length, 2);
		assert.equal(two.data[0].embedding.length, 512);
		const float = await client.embeddings.create({ model: "breeze", input: "The sea is blue.", encoding_format: "float" });
		assert.deepEqual(two.data[0].embedding.map(Math.fround), float.data[0].embedding.map(Math.fround));
	});
	await test("openai: models", async () => {
		const models = await client.models.list();
		assert.equal(models.data.length, 1);
		assert.equal(models.data[0].object, "model");
	});
}

/** With a model that speaks. */
export async function run(url) {
	const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });

	await testChat(client);
	await testForms(client);
	await testTypes(url);
	await testErrors(client, url);
	await testTexts(client);
}

/** With a model that has the tokens for tools. */
export async function runTools(url) {
	const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
	const ask = { model: "breeze", messages: question, tools, max_tokens: 300, temperature: 1, seed: 5 };
	const check = (call) => {
		const arguments_ = JSON.parse(call.function.arguments);
		assert.equal(call.type, "function");
		assert.equal(call.function.name, "get_weather");
		assert.deepEqual(Object.keys(arguments_).sort(), ["place", "unit"]);
		assert.ok(["C", "F"].includes(arguments_.unit));
	};

	await test("openai: tools over two turns", async () => {
		const first = await client.chat.completions.create({ ...ask, tool_choice: "required", parallel_tool_calls: false });
		const { message, finish_reason } = first.choices[0];
		assert.equal(finish_reason, "tool_calls");
		assert.equal(message.content, null);
		assert.equal(message.tool_calls.length, 1);
		check(message.tool_calls[0]);
		const second = await client.chat.completions.create({ ...ask, max_tokens: 8,
			messages: [...question, message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: '{"degrees": 20}' }] });
		assert.ok(second.usage.prompt_tokens > first.usage.prompt_tokens);
		const none = await client.chat.completions.create({ ...ask, tool_choice: "none", max_tokens: 40 });
		assert.ok(!none.choices[0].message.tool_calls);
	});
	await test("openai: a stream of calls", async () => {
		const stream = client.chat.completions.stream({ ...ask, tool_choice: { type: "function", function: { name: "get_weather" } } });
		const reply = await stream.finalChatCompletion();
		assert.ok(reply.choices[0].message.tool_calls.length >= 1);
		if (reply.choices[0].finish_reason === "tool_calls") reply.choices[0].message.tool_calls.forEach(check);
	});
	await test("openai: calls are of the types that the package declares", async () => {
		const chunks = await checkChat(url, { ...ask, tool_choice: "required" });
		assert.ok(chunks.some((c) => c.choices[0]?.delta.tool_calls));
	});
	await test("openai: the helper that runs tools", async () => {
		let asked = 0;
		const runner = client.chat.completions.runTools({ ...ask, max_tokens: 120, tool_choice: { type: "function", function: { name: "get_weather" } },
			parallel_tool_calls: false, tools: [{ type: "function", function: { ...tools[0].function, parse: JSON.parse,
				function: () => { asked++; return "20 degrees"; } } }] });
		await runner.done();
		assert.equal(asked, 1);
	});
	await test("openai: strict tools by zod", async () => {
		const tool = zodFunction({ name: "count", parameters: z.object({ n: z.int().min(1).max(9) }) });
		const reply = await client.chat.completions.parse({ ...ask, tools: [tool], tool_choice: "required" });
		const { n } = reply.choices[0].message.tool_calls[0].function.parsed_arguments;
		assert.ok(n >= 1 && n <= 9);
	});
}
