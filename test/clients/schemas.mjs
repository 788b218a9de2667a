// schemas.mjs - checks replies and the events of streams against what their APIs' documents have
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

let generator;

function compile(schema, name) {
	const ajv = new Ajv({ strict: false });
	ajv.addSchema(schema, "document");
	const check = ajv.compile({ $ref: `document#/definitions/${name}` });
	return (value) => {
		if (!check(value)) throw new Error(`not ${name}: ${ajv.errorsText(check.errors)}: ${JSON.stringify(value)}`);
	};
}

/** A function that throws unless a value is as the definition of that name in a file. */
export function load(file, name) {
	return compile(JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8")), name);
}

/** The same by a type of types.ts; fields that it does not have are refused. */
export function loadType(name) {
	generator ??= createGenerator({
		path: fileURLToPath(new URL("types.ts", import.meta.url)), skipTypeCheck: true, additionalProperties: false, jsDoc: "none",
	});
	return compile(generator.createSchema(name), name);
}

async function readStream(url, path, body, headers = {}) {
	const reply = await fetch(`${url}${path}`, {
		method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers },
	});
	const text = await reply.text();
	if (reply.status !== 200) throw new Error(`${reply.status}: ${text}`);
	return text.split("\n\n").filter((part) => part);
}

/** The events of a stream, as they are sent: the name of each is its data's type. */
export async function readEvents(url, path, body, headers) {
	return (await readStream(url, path, body, headers)).map((part) => {
		const [, name, data] = part.match(/^event: (.*)\ndata: (.*)$/) ?? [];
		const event = JSON.parse(data);
		if (event.type !== name) throw new Error(part);
		return event;
	});
}

/** The chunks of a stream of OpenAI's older APIs, which have no names and end with [DONE]. */
export async function readChunks(url, path, body) {
	const parts = await readStream(url, path, body);
	if (parts.pop() !== "data: [DONE]") throw new Error("the stream has no end");
	return parts.map((part) => JSON.parse(part.replace(/^data: /, "")));
}
