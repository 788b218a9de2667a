// anthropic.mjs - the Messages API: npm's @anthropic-ai/sdk, and its events
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { sleep, test } from "./harness.mjs";
import { loadType, readEvents } from "./schemas.mjs";

const connect = (url) => new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });
const ask = { model: "breeze", max_tokens: 24, temperature: 0, messages: [{ role: "user", content: "What is the capital of France?" }] };
const look = {
	name: "look", description: "Looks at a place",
	input_schema: { type: "object", properties: { at: { type: "string", maxLength: 8 } }, required: ["at"], additionalProperties: false },
};

/** What Claude Code sends, with fewer words: a first line of the system's that differs, blocks that are to be cached. */
const cached = { cache_control: { type: "ephemeral" } };
const claudeCode = (turn, messages) => ({
	model: "breeze", max_tokens: 300, stream: true,
	system: [
		{ type: "text", text: `x-anthropic-billing-header: cc_version=2.1.0.${turn}; cc_entrypoint=cli; cch=0000${turn};` },
		{ type: "text", text: "You are Claude Code.", ...cached },
		{ type: "text", text: "Use the tools.", ...cached },
	],
	messages,
	tools: [
		{ name: "Read", description: "Reads a file", input_schema: { $schema: "https://json-schema.org/draft/2020-12/schema", type: "object",
			properties: { file_path: { type: "string", maxLength: 8 }, offset: { type: "integer", minimum: 0, maximum: 9 } }, required: ["file_path"], additionalProperties: false } },
		{ type: "web_search_20250305", name: "web_search", max_uses: 8 },
	],
	metadata: { user_id: "user_0_account__session_0" }, thinking: { type: "adaptive" }, output_config: { effort: "medium" },
	context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] }, temperature: 1,
});

async function checkEvents(url, body, path = "/v1/messages") {
	const all = await readEvents(url, path, { ...body, stream: true }, { "x-api-key": "none", "anthropic-version": "2023-06-01", "anthropic-beta": "claude-code-20250219" });
	const events = all.filter((event) => event.type !== "ping"); // of which the SDK has no type
	events.forEach(loadType("RawMessageStreamEvent"));
	return events;
}

export async function run(url) {
	const client = connect(url);
	let text;

	await test("anthropic: a message", async () => {
		const reply = await client.messages.create({ ...ask, system: "Answer in one word." });
		text = reply.content[0].text;
		assert.ok(text.length > 0);
		assert.equal(reply.stop_reason, "end_turn");
		assert.ok(reply.usage.output_tokens > 0);
		loadType("Message")(JSON.parse(JSON.stringify(reply)));
	});
	await test("anthropic: a stream", async () => {
		const stream = client.messages.stream({ ...ask, system: [{ type: "text", text: "Answer in one word.", cache_control: { type: "ephemeral" } }] });
		let all = "";
		stream.on("text", (part) => (all += part));
		const reply = await stream.finalMessage();
		assert.equal(all, text);
		assert.equal(reply.content[0].text, text);
		assert.equal(reply.stop_reason, "end_turn");
		assert.ok(reply.usage.output_tokens > 0);
	});
	await test("anthropic: events are of the types that the SDK declares", async () => {
		const events = await checkEvents(url, { ...ask, max_tokens: 2 });
		assert.deepEqual([events[0].type, events.at(-2).type, events.at(-1).type], ["message_start", "message_delta", "message_stop"]);
		assert.equal(events.at(-2).delta.stop_reason, "max_tokens");
		assert.equal(events.at(-2).usage.output_tokens, 2);
	});
	await test("anthropic: tokens are counted", async () => {
		const { input_tokens } = await client.messages.countTokens({ model: "breeze", messages: ask.messages });
		const { usage } = await client.messages.create(ask);
		assert.equal(input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
	});
	await test("anthropic: a conversation, whose begin is reused", async () => {
		const first = await client.messages.create(ask);
		const messages = [...ask.messages, { role: "assistant", content: first.content }, { role: "user", content: "Hello" }];
		const second = await client.messages.create({ ...ask, messages });
		assert.ok(second.content[0].text.length > 0);
		assert.ok(second.usage.cache_read_input_tokens > 0);
	});
	await test("anthropic: a stop sequence", async () => {
		const whole = (await client.messages.create(ask)).content[0].text;
		const stop = whole.slice(3, 5);
		const reply = await client.messages.create({ ...ask, stop_sequences: ["never", stop] });
		assert.equal(reply.content[0].text, whole.slice(0, whole.indexOf(stop)));
		assert.equal(reply.stop_reason, "stop_sequence");
		assert.equal(reply.stop_sequence, stop);
	});
	await test("anthropic: a schema", async () => {
		const schema = { type: "object", properties: { name: { type: "string", maxLength: 8 }, yes: { type: "boolean" } }, required: ["name", "yes"], additionalProperties: false };
		const reply = await client.messages.create({ ...ask, max_tokens: 200, output_config: { format: { type: "json_schema", schema } } });
		const value = JSON.parse(reply.content[0].text);
		assert.equal(typeof value.yes, "boolean");
	});
	await test("anthropic: errors", async () => {
		const refused = (more) => client.messages.create({ ...ask, ...more }).then(() => assert.fail("answered"), (e) => e);
		const error = await refused({ max_tokens: "9" });
		assert.ok(error instanceof Anthropic.BadRequestError);
		loadType("ErrorResponse")(error.error);
		assert.match(error.message, /'max_tokens'/);
		const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "" } };
		assert.match((await refused({ messages: [{ role: "user", content: [image] }] })).message, /'image'/);
	});
	await test("anthropic: abort", async () => {
		const stream = await client.messages.create({ ...ask, max_tokens: 100_000, stream: true, ignore_eos: true });
		for await (const event of stream) if (event.type === "content_block_delta") break;
		stream.controller.abort();
		await sleep(200);
		assert.ok((await client.messages.create(ask)).content[0].text.length > 0);
	});
}

export async function runTools(url) {
	const client = connect(url);
	const draw = { ...ask, temperature: 1, seed: 2, max_tokens: 300, tools: [look, { type: "web_search_20250305", name: "web_search" }] };

	await test("anthropic: tools over two turns", async () => {
		const first = await client.messages.create({ ...draw, tool_choice: { type: "any", disable_parallel_tool_use: true } });
		assert.equal(first.stop_reason, "tool_use");
		const calls = first.content.filter((block) => block.type === "tool_use");
		assert.equal(calls.length, 1);
		assert.equal(calls[0].name, "look");
		assert.match(calls[0].id, /^[a-zA-Z0-9_-]+$/);
		assert.ok(calls[0].input.at.length <= 8);
		const messages = [...ask.messages, { role: "assistant", content: first.content },
			{ role: "user", content: [{ type: "tool_result", tool_use_id: calls[0].id, content: "nothing", is_error: true }, { type: "text", text: "Well?" }] }];
		const second = await client.messages.create({ ...draw, messages, tool_choice: { type: "none" }, max_tokens: 16 });
		assert.ok(second.content.every((block) => block.type === "text"));
	});
	await test("anthropic: what Claude Code sends, over two turns", async () => {
		const first = { role: "user", content: [{ type: "text", text: "<system-reminder>None.</system-reminder>" }, { type: "text", text: "Hello", ...cached }] };
		const events = await checkEvents(url, { ...claudeCode(1, [first]), seed: 2, tool_choice: { type: "any", disable_parallel_tool_use: true } }, "/v1/messages?beta=true");
		const { content_block: call } = events.find((e) => e.content_block?.type === "tool_use");
		assert.equal(call.name, "Read");
		const json = events.filter((e) => e.delta?.type === "input_json_delta").map((e) => e.delta.partial_json).join("");
		const messages = [first, { role: "assistant", content: [{ type: "thinking", thinking: "Hm", signature: "" }, { ...call, input: JSON.parse(json) }] },
			{ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: [{ type: "text", text: "1 one" }], ...cached }] }];
		const { tools, system } = claudeCode(2);
		const counted = await client.messages.countTokens({ model: "breeze", messages, tools, system });
		const then = await checkEvents(url, { ...claudeCode(2, messages), max_tokens: 8 }, "/v1/messages?beta=true");
		const { usage } = then[0].message;
		assert.equal(usage.input_tokens + usage.cache_read_input_tokens, counted.input_tokens);
		assert.equal(then.at(-1).type, "message_stop");
	});
	await test("anthropic: a call streams", async () => {
		const stream = client.messages.stream({ ...draw, tool_choice: { type: "tool", name: "look", disable_parallel_tool_use: true } });
		let json = "";
		stream.on("inputJson", (part) => (json += part));
		const reply = await stream.finalMessage();
		assert.equal(reply.stop_reason, "tool_use");
		assert.deepEqual(JSON.parse(json), reply.content.at(-1).input);
		const events = await checkEvents(url, { ...draw, tool_choice: { type: "any" } });
		assert.ok(events.some((e) => e.type === "content_block_delta" && e.delta.type === "input_json_delta"));
	});
}
