// ai.mjs - Vercel's ai with @ai-sdk/openai-compatible
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { test } from "./harness.mjs";

function connect(url) {
	return createOpenAICompatible({ name: "brise", baseURL: `${url}/v1`, includeUsage: true, supportsStructuredOutputs: true });
}

const ask = { prompt: "What is the capital of France?", maxOutputTokens: 12, temperature: 0, maxRetries: 0 };

export async function run(url) {
	const brise = connect(url);
	const model = brise.chatModel("breeze");
	let text;

	await test("ai: text", async () => {
		const reply = await generateText({ ...ask, model, system: "Answer in one word." });
		text = reply.text;
		assert.ok(text.length > 0);
		assert.ok(reply.usage.inputTokens > 0 && reply.usage.outputTokens > 0);
	});
	await test("ai: a stream", async () => {
		const stream = streamText({ ...ask, model, system: "Answer in one word." });
		let all = "";
		for await (const part of stream.textStream) all += part;
		assert.equal(all, text);
		assert.ok((await stream.usage).outputTokens > 0);
	});
	await test("ai: an object", async () => {
		const schema = z.object({ name: z.string().max(8), yes: z.boolean() });
		const { object } = await generateObject({ ...ask, model, schema, maxOutputTokens: 200 });
		schema.parse(object);
	});
	await test("ai: a completion and an embedding", async () => {
		const reply = await generateText({ ...ask, model: brise.completionModel("breeze") });
		assert.equal(typeof reply.text, "string");
		const { embedding } = await embed({ model: brise.textEmbeddingModel("breeze"), value: "The sea", maxRetries: 0 });
		assert.equal(embedding.length, 512);
	});
	await test("ai: abort", async () => {
		const abort = new AbortController();
		const stream = streamText({ ...ask, model, maxOutputTokens: 100_000, abortSignal: abort.signal,
			providerOptions: { brise: { ignore_eos: true } }, onError() {} });
		let parts = 0;
		for await (const _ of stream.textStream) if (++parts === 3) abort.abort();
		assert.ok(parts >= 1);
	});
}

export async function runTools(url) {
	const model = connect(url).chatModel("breeze");

	await test("ai: tools over two steps", async () => {
		let asked = 0;
		const reply = await generateText({
			...ask, model, maxOutputTokens: 300, temperature: 1, seed: 2, toolChoice: "required",
			tools: {
				look: tool({
					description: "Looks",
					inputSchema: z.object({ at: z.string().max(8) }),
					execute: async ({ at }) => { asked++; return `nothing at ${at}`; },
				}),
			},
			stopWhen: stepCountIs(2),
			prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" }),
		});
		assert.ok(asked >= 1);
		assert.equal(reply.steps.length, 2);
		assert.equal(reply.steps[0].finishReason, "tool-calls");
	});
}
