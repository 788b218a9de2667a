// langchain.mjs - ChatOpenAI and OpenAIEmbeddings of @langchain/openai
import assert from "node:assert/strict";
import { HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { z } from "zod";
import { test } from "./harness.mjs";

function connect(url, more = {}) {
	return new ChatOpenAI({ model: "breeze", apiKey: "none", temperature: 0, maxTokens: 12, maxRetries: 0,
		configuration: { baseURL: `${url}/v1` }, ...more });
}

const messages = [new SystemMessage("Answer in one word."), new HumanMessage("What is the capital of France?")];

export async function run(url) {
	let text;

	await test("langchain: invoke", async () => {
		const reply = await connect(url).invoke(messages);
		text = reply.content;
		assert.ok(text.length > 0);
		assert.ok(reply.usage_metadata.output_tokens > 0);
	});
	await test("langchain: stream", async () => {
		let all = "";
		for await (const chunk of await connect(url).stream(messages)) all += chunk.content;
		assert.equal(all, text);
	});
	await test("langchain: a schema", async () => {
		const schema = z.object({ name: z.string().max(8), yes: z.boolean() });
		const model = connect(url, { maxTokens: 200 }).withStructuredOutput(schema, { method: "jsonSchema" });
		schema.parse(await model.invoke(messages));
	});
	await test("langchain: embeddings", async () => {
		const embeddings = new OpenAIEmbeddings({ model: "breeze", apiKey: "none", maxRetries: 0,
			configuration: { baseURL: `${url}/v1` } });
		const vectors = await embeddings.embedDocuments(["The sea", "A stone"]);
		assert.deepEqual(vectors.map((v) => v.length), [512, 512]);
	});
}

export async function runTools(url) {
	await test("langchain: tools over two turns", async () => {
		const look = tool(async ({ at }) => `nothing at ${at}`, { name: "look", description: "Looks",
			schema: z.object({ at: z.string().max(8) }) });
		const model = connect(url, { maxTokens: 300, temperature: 1 });
		const call = await model.bindTools([look], { tool_choice: "look", parallel_tool_calls: false, strict: true }).invoke(messages);
		assert.equal(call.tool_calls.length, 1);
		const result = await look.invoke(call.tool_calls[0]);
		assert.ok(result instanceof ToolMessage);
		const reply = await model.bindTools([look], { tool_choice: "none" }).invoke([...messages, call, result]);
		assert.equal(typeof reply.content, "string");
	});
}
