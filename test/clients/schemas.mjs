// schemas.mjs - checks replies and the events of streams against what their APIs' documents have
import { readFileSync } from "node:fs";
import Ajv from "ajv";

/** A function that throws unless a value is as the definition of that name. */
export function load(file, name) {
	const ajv = new Ajv({ strict: false });
	ajv.addSchema(JSON.parse(readFileSync(new URL(file, import.meta.url), "utf8")), "document");
	const check = ajv.compile({ $ref: `document#/definitions/${name}` });
	return (value) => {
		if (!check(value)) throw new Error(`${ajv.errorsText(check.errors)}: ${JSON.stringify(value)}`);
	};
}

/** The events of a stream, as they are sent: the name of each is its data's type. */
export async function readEvents(url, path, body, headers = {}) {
	const reply = await fetch(`${url}${path}`, {
		method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers },
	});
	const text = await reply.text();
	if (reply.status !== 200) throw new Error(`${reply.status}: ${text}`);
	return text.split("\n\n").filter((part) => part).map((part) => {
		const [, name, data] = part.match(/^event: (.*)\ndata: (.*)$/) ?? [];
		const event = JSON.parse(data);
		if (event.type !== name) throw new Error(part);
		return event;
	});
}
