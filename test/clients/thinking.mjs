// thinking.mjs - a model in the format v13: calls in its form, and reasoning as clients give it back in the next turn
//
// The model's weights never saw its control tokens: what makes it think is a bias on [THINK] and
// [/THINK], put into every request on its way.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI from "openai";
import { test } from "./harness.mjs";
import { loadType, readEvents } from "./schemas.mjs";

const question = { role: "user", content: "Why is the sea salt?" }, again = { role: "user", content: "Sure?" };

async function post(url, path, body) {
	const reply = await fetch(url + path, { method: "POST", body: JSON.stringify(body) });
	assert.ok(reply.ok, await reply.clone().text());
	return reply.json();
}

/** Tokens of the second turn, where the first answer consists of `parts`: ["thinking" or "text", its text]. */
async function countTokens(url, parts) {
	const content = parts.filter(([, text]) => text).map(([type, text]) => ({ type, [type]: text }));
	assert.ok(content.some(({ type }) => type === "thinking") && content.some(({ type }) => type === "text"));
	const { tokens } = await post(url, "/tokenize", { messages: [question, { role: "assistant", content }, again] });
	return tokens.length;
}

const isThought = (part) => part.type === "reasoning";

const places = ["sea", "lake"];
const look = { type: "function", function: { name: "look_at", strict: true, parameters: {
	type: "object", properties: { at: { enum: places }, far: { type: "boolean" } }, required: ["at", "far"], additionalProperties: false } } };
const now = { type: "function", function: { name: "now" } };

/** Calls that follow their schemas, whatever the model would rather say. */
function check(calls) {
	assert.ok(calls.length > 0);
	for (const { function: { name, arguments: text } } of calls) {
		const given = JSON.parse(text);
		assert.ok(name === "now" ? text === "{}" : name === "look_at" && places.includes(given.at) && typeof given.far === "boolean", text);
	}
}

async function testCalls(url) {
	const { chat } = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
	const ask = (more) => chat.completions.create({ model: "breeze", messages: [question], tools: [look, now], temperature: 1, max_tokens: 400, ...more });

	await test("v13: calls, one or several, and their results", async () => {
		const choices = [{ tool_choice: "required", parallel_tool_calls: false }, { tool_choice: { type: "function", function: { name: "look_at" } }, parallel_tool_calls: false }];
		for (const choice of choices) {
			for (let seed = 1; seed <= 4; seed++) {
				const { message, finish_reason } = (await ask({ ...choice, seed })).choices[0];
				assert.equal(finish_reason, "tool_calls");
				assert.equal(message.tool_calls.length, 1);
				check(message.tool_calls);
				if (typeof choice.tool_choice === "object") assert.equal(message.tool_calls[0].function.name, "look_at");
				const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "blue" };
				const { usage } = await ask({ messages: [question, message, result], tool_choice: "none", max_tokens: 1 });
				assert.ok(usage.prompt_tokens > 0);
			}
		}
	});
	await test("v13: parallel calls in a stream, as many as fit", async () => {
		const { choices } = await chat.completions.stream({ model: "breeze", messages: [question], tools: [now], tool_choice: "required",
			temperature: 1, seed: 1, max_tokens: 60, ignore_eos: true }).finalChatCompletion();
		const calls = choices[0].message.tool_calls;
		assert.ok(calls.length > 1);
		check(calls.slice(0, -1)); // the last one may be cut
	});
}

export async function runThoughts(url) {
	await testCalls(url);
	const marks = await Promise.all(["[THINK]", "[/THINK]"].map((content) => post(url, "/tokenize", { content, parse_special: true, add_special: false })));
	const bias = { logit_bias: Object.fromEntries(marks.map(({ tokens }) => [tokens[0], 16])), ignore_eos: true, temperature: 1, seed: 3 };
	const biased = (to, init) => fetch(to, { ...init, body: JSON.stringify({ ...JSON.parse(init.body), ...bias }) });

	await test("thinking: openai, chat", async () => {
		const { chat } = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, fetch: biased });
		const ask = (messages) => chat.completions.create({ model: "breeze", max_tokens: 40, messages });
		const { message } = (await ask([question])).choices[0];
		const { usage } = await ask([question, message, again]);
		assert.equal(usage.prompt_tokens, await countTokens(url, [["thinking", message.reasoning_content], ["text", message.content]]));
	});
	await test("thinking: ai with @ai-sdk/openai-compatible", async () => {
		const model = createOpenAICompatible({ name: "brise", baseURL: `${url}/v1`, includeUsage: true, fetch: biased }).chatModel("breeze");
		const first = streamText({ model, messages: [question], maxOutputTokens: 40, maxRetries: 0 });
		const { messages } = await first.response;
		const { usage } = await generateText({ model, messages: [question, ...messages, again], maxOutputTokens: 1, maxRetries: 0 });
		assert.equal(usage.inputTokens, await countTokens(url, [["thinking", await first.reasoningText], ["text", await first.text]]));
	});
	await test("thinking: openai, responses", async () => {
		const { responses } = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, fetch: biased });
		const ask = (input) => responses.create({ model: "breeze", max_output_tokens: 40, input });
		const first = await ask([question]);
		const { usage } = await ask([question, ...first.output, again]);
		assert.equal(usage.input_tokens, await countTokens(url, first.output.map(({ type, content }) => [type === "reasoning" ? "thinking" : "text", content[0].text])));
	});
	for (const store of [true, false]) {
		await test(`thinking: ai with @ai-sdk/openai, responses, ${store ? "by their ids" : "as what is taken for encrypted"}`, async () => {
			let output, sent;
			const watched = async (to, init) => {
				sent = JSON.parse(init.body);
				if (sent.store) delete sent.store; // which this server refuses
				const reply = await biased(to, { ...init, body: JSON.stringify(sent) });
				output = (await reply.clone().json()).output;
				return reply;
			};
			const model = createOpenAI({ baseURL: `${url}/v1`, apiKey: "none", fetch: watched }).responses("breeze");
			const ask = (messages) => generateText({ model, messages, maxOutputTokens: 40, maxRetries: 0,
				providerOptions: { openai: { forceReasoning: true, ...(store ? {} : { store }) } } });
			const first = await ask([question]);
			const parts = output.map((item) => [isThought(item) ? "thinking" : "text", item.content[0].text]);
			const { usage } = await ask([question, ...first.response.messages, again]);
			assert.ok(sent.input.some((item) => (store ? item.type === "item_reference" && item.id.startsWith("rs_") : isThought(item))));
			assert.equal(usage.inputTokens, await countTokens(url, parts));
		});
	}
	await test("thinking: @anthropic-ai/sdk", async () => {
		const { messages } = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0, fetch: biased });
		const first = await messages.stream({ model: "breeze", max_tokens: 40, messages: [question] }).finalMessage();
		assert.ok(first.content.every(({ type, signature }) => type !== "thinking" || signature));
		const { usage } = await messages.create({ model: "breeze", max_tokens: 1, messages: [question, { role: "assistant", content: first.content }, again] });
		assert.equal(usage.input_tokens + usage.cache_read_input_tokens, await countTokens(url, first.content.map((block) => [block.type, block[block.type]])));
	});
	await test("thinking: events and objects are of the published types", async () => {
		const ask = { model: "breeze", stream: true, ...bias };
		const events = await readEvents(url, "/v1/messages", { ...ask, max_tokens: 40, messages: [question] });
		events.filter(({ type }) => type !== "ping").forEach(loadType("RawMessageStreamEvent"));
		const all = await readEvents(url, "/v1/responses", { ...ask, max_output_tokens: 40, input: [question], include: ["reasoning.encrypted_content"] });
		const [delta, done] = ["delta", "done"].map((end) => all.filter(({ type }) => type === `response.reasoning_text.${end}`));
		assert.ok(delta.length > 0 && done.length > 0);
		delta.forEach(loadType("ResponseReasoningTextDeltaEvent"));
		done.forEach(loadType("ResponseReasoningTextDoneEvent"));
		[...all.at(-1).response.output, ...all.flatMap(({ item }) => item ?? [])].filter(isThought).forEach(loadType("ResponseReasoningItem"));
	});
}
