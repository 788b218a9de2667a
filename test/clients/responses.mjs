// responses.mjs - the Responses API: npm's openai and ai with @ai-sdk/openai, and its events
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { sleep, test } from "./harness.mjs";
import { load, readEvents } from "./schemas.mjs";

const connect = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const ask = { model: "breeze", input: "What is the capital of France?", max_output_tokens: 24, temperature: 0 };
const look = {
	type: "function", name: "look", description: "Looks at a place", strict: true,
	parameters: { type: "object", properties: { at: { type: "string", maxLength: 8 } }, required: ["at"], additionalProperties: false },
};

/** What codex sends in its first turn, with fewer words. */
const codex = {
	model: "breeze", instructions: "You are a coding agent running in the Codex CLI.",
	input: [
		{ type: "message", role: "developer", content: [{ type: "input_text", text: "<permissions instructions>" }] },
		{ type: "message", role: "user", content: [{ type: "input_text", text: "<environment_context>" }] },
		{ type: "message", role: "user", content: [{ type: "input_text", text: "Hello" }] },
	],
	tools: [
		{ type: "function", name: "exec_command", description: "Runs a command", strict: false,
			parameters: { type: "object", properties: { cmd: { type: "string", description: "Command" }, tty: { type: "boolean" } }, required: ["cmd"], additionalProperties: false } },
		{ type: "custom", name: "apply_patch", description: "Edits files", format: { type: "grammar", syntax: "lark", definition: "start: x" } },
		{ type: "web_search", external_web_access: false },
	],
	tool_choice: "auto", parallel_tool_calls: false, reasoning: { effort: "medium", summary: "auto" }, store: false,
	stream: true, include: ["reasoning.encrypted_content"], prompt_cache_key: "01997d", text: { verbosity: "medium" },
};

async function checkEvents(url, body) {
	const check = load("responses_schema.json", "Event");
	const events = await readEvents(url, "/v1/responses", { ...body, stream: true });
	events.forEach((event, i) => {
		check(event);
		assert.equal(event.sequence_number, i);
	});
	return events;
}

export async function run(url) {
	const client = connect(url);
	let text;

	await test("responses: an object", async () => {
		const reply = await client.responses.create({ ...ask, instructions: "Answer in one word." });
		text = reply.output_text;
		assert.ok(text.length > 0);
		assert.equal(reply.status, "completed");
		assert.equal(reply.usage.total_tokens, reply.usage.input_tokens + reply.usage.output_tokens);
		const { output_text: _, ...object } = JSON.parse(JSON.stringify(reply));
		load("responses_schema.json", "ResponseResource")(object);
	});
	await test("responses: a stream", async () => {
		const stream = client.responses.stream({ ...ask, instructions: "Answer in one word." });
		let all = "", last = -1;
		for await (const event of stream) {
			assert.equal(event.sequence_number, ++last);
			if (event.type === "response.output_text.delta") all += event.delta;
		}
		assert.equal(all, text);
		const reply = await stream.finalResponse();
		assert.equal(reply.output_text, text);
	});
	await test("responses: events as the specification has them", async () => {
		const events = await checkEvents(url, { ...ask, include: ["message.output_text.logprobs"], top_logprobs: 2 });
		const deltas = events.filter((e) => e.type === "response.output_text.delta");
		assert.equal(events.at(-1).response.output[0].content[0].text, deltas.map((e) => e.delta).join(""));
		assert.ok(deltas.flatMap((e) => e.logprobs).length > 0);
		assert.equal((await checkEvents(url, { ...ask, max_output_tokens: 2 })).at(-1).type, "response.incomplete");
	});
	await test("responses: a conversation in items", async () => {
		const input = [{ role: "user", content: ask.input }];
		const first = await client.responses.create({ ...ask, input });
		const second = await client.responses.create({ ...ask, input: [...input, ...first.output, { role: "user", content: "Hello" }] });
		assert.ok(second.output_text.length > 0);
		assert.ok(second.usage.input_tokens > first.usage.input_tokens);
		assert.ok(second.usage.input_tokens_details.cached_tokens > 0);
	});
	await test("responses: a schema", async () => {
		const schema = z.object({ name: z.string().max(8), yes: z.boolean() });
		const reply = await client.responses.parse({ ...ask, max_output_tokens: 200, text: { format: zodTextFormat(schema, "answer") } });
		schema.parse(reply.output_parsed);
	});
	await test("responses: what is not stored is refused in words", async () => {
		const refused = (more) => client.responses.create({ ...ask, ...more }).then(() => assert.fail("answered"), (e) => e);
		const error = await refused({ previous_response_id: "resp_1" });
		assert.equal(error.status, 400);
		assert.equal(error.param, "previous_response_id");
		assert.match(error.message, /stores nothing/);
		assert.equal((await refused({ store: true })).param, "store");
		assert.equal((await refused({ input: [{ role: "user", content: 7 }] })).param, "input[0].content");
	});
	await test("responses: tokens are counted", async () => {
		const count = await client.responses.inputTokens.count({ model: "breeze", input: ask.input });
		assert.equal(count.input_tokens, (await client.responses.create(ask)).usage.input_tokens);
	});
	await test("responses: abort", async () => {
		const stream = await client.responses.create({ ...ask, max_output_tokens: 100_000, stream: true, ignore_eos: true });
		for await (const event of stream) if (event.type === "response.output_text.delta") break;
		stream.controller.abort();
		await sleep(200);
		assert.ok((await client.responses.create(ask)).output_text.length > 0);
	});
	await test("ai, @ai-sdk/openai: text and a second turn", async () => {
		const model = createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" })("breeze");
		const settings = { model, maxOutputTokens: 24, temperature: 0, maxRetries: 0 };
		const messages = [{ role: "user", content: ask.input }];
		const first = await generateText({ ...settings, messages });
		assert.ok(first.text.length > 0 && first.usage.outputTokens > 0);
		/* it names the first answer by its id */
		const second = await generateText({ ...settings, messages: [...messages, ...first.response.messages, { role: "user", content: "Hello" }] });
		assert.ok(second.text.length > 0);
		assert.ok(second.usage.inputTokens > first.usage.inputTokens + first.usage.outputTokens);
	});
	await test("ai, @ai-sdk/openai: a stream and an object", async () => {
		const model = createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" })("breeze");
		const stream = streamText({ model, prompt: ask.input, system: "Answer in one word.", maxOutputTokens: 24, temperature: 0, maxRetries: 0 });
		let all = "";
		for await (const part of stream.textStream) all += part;
		assert.equal(all, text);
		const schema = z.object({ name: z.string().max(8), yes: z.boolean() });
		const { object } = await generateObject({ model, prompt: ask.input, schema, maxOutputTokens: 200, maxRetries: 0 });
		schema.parse(object);
	});
}

export async function runTools(url) {
	const client = connect(url);
	const draw = { ...ask, temperature: 1, seed: 2, max_output_tokens: 300, tools: [look] };

	await test("responses: tools over two turns", async () => {
		const input = [{ role: "user", content: "Where is the sea?" }];
		const first = await client.responses.create({ ...draw, input, tool_choice: "required", parallel_tool_calls: false });
		const call = first.output.find((item) => item.type === "function_call");
		assert.equal(call.name, "look");
		const { at } = JSON.parse(call.arguments);
		assert.ok(at.length <= 8);
		input.push(...first.output, { type: "function_call_output", call_id: call.call_id, output: `nothing at ${at}` });
		const second = await client.responses.create({ ...draw, input, tool_choice: "none", max_output_tokens: 16 });
		assert.ok(second.output.every((item) => item.type === "message"));
	});
	await test("responses: calls stream as the specification has them", async () => {
		const events = await checkEvents(url, { ...draw, tool_choice: { type: "function", name: "look" } });
		const deltas = events.filter((e) => e.type === "response.function_call_arguments.delta");
		const done = events.find((e) => e.type === "response.function_call_arguments.done");
		const first = deltas.filter((e) => e.item_id === done.item_id);
		assert.equal(first.map((e) => e.delta).join(""), done.arguments);
		assert.ok(JSON.parse(done.arguments).at.length <= 8);
	});
	await test("responses: what codex sends", async () => {
		const events = await checkEvents(url, { ...codex, max_output_tokens: 16, seed: 1 });
		assert.match(events.at(-1).type, /^response\.(completed|incomplete)$/);
		assert.deepEqual(events[0].response.tools.map((t) => t.name), ["exec_command"]);
		assert.equal(events[0].response.prompt_cache_key, "01997d");
	});
	await test("ai, @ai-sdk/openai: tools over two steps", async () => {
		let asked = 0;
		const reply = await generateText({
			model: createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" })("breeze"),
			prompt: ask.input, maxOutputTokens: 300, temperature: 1, maxRetries: 0,
			tools: {
				look: tool({ description: "Looks", inputSchema: z.object({ at: z.string().max(8) }),
					execute: async ({ at }) => { asked++; return `nothing at ${at}`; } }),
			},
			stopWhen: stepCountIs(2),
			prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" }),
		});
		assert.ok(asked >= 1);
		assert.equal(reply.steps.length, 2);
		assert.equal(reply.steps[0].finishReason, "tool-calls");
	});
}
