// schemas.mjs - 200 schemas: some as people write them, the others drawn from all that is supported

// The same numbers everywhere (mulberry32).
export function randomFrom(seed) {
	return () => {
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

const strict = (properties, required = Object.keys(properties)) => ({ type: 'object', properties, required, additionalProperties: false });
const text = { type: 'string' };

export const written = [
	strict({ name: { ...text, minLength: 1, maxLength: 40 }, age: { type: 'integer', minimum: 0, maximum: 150 } }),
	strict({ answer: { enum: ['yes', 'no', 'unknown'] }, reason: { ...text, maxLength: 80 } }),
	strict({ date: { ...text, format: 'date' }, time: { ...text, format: 'time' }, mail: { ...text, format: 'email' } }, ['date']),
	strict({ tags: { type: 'array', items: { ...text, pattern: '^[a-z]{2,8}$' }, minItems: 1, maxItems: 4 } }),
	strict({ price: { type: 'number', minimum: 0, exclusiveMaximum: 1000 }, currency: { ...text, pattern: '^[A-Z]{3}$' } }),
	{ type: 'array', prefixItems: [{ type: 'number' }, text, { type: 'boolean' }], items: false, minItems: 2 },
	{ type: 'object', additionalProperties: { type: 'integer', multipleOf: 5, maximum: 1000, minimum: -1000 }, minProperties: 1, maxProperties: 4 },
	{ $ref: '#/$defs/tree', $defs: { tree: strict({ value: { type: 'integer', minimum: 1, maximum: 9 }, children: { type: 'array', items: { $ref: '#/$defs/tree' }, maxItems: 2 } }) } },
	{ $ref: '#/definitions/list', definitions: { list: strict({ head: text, tail: { anyOf: [{ $ref: '#/definitions/list' }, { type: 'null' }] } }) } },
	{
		oneOf: [
			strict({ kind: { const: 'circle' }, radius: { type: 'number', exclusiveMinimum: 0, maximum: 100 } }),
			strict({ kind: { const: 'square' }, side: { type: 'integer', minimum: 1, maximum: 100 } }),
		],
	},
	strict({ steps: { type: 'array', items: strict({ action: { enum: ['open', 'close', 'wait'] }, seconds: { type: ['integer', 'null'], minimum: 1, maximum: 60 } }), minItems: 1, maxItems: 5 } }),
	{ allOf: [{ type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }, { properties: { a: { minimum: 10, maximum: 99 }, b: { type: 'boolean' } } }] },
	strict({ id: { ...text, format: 'uuid' }, host: { anyOf: [{ ...text, format: 'ipv4' }, { ...text, format: 'hostname' }] } }),
	{ type: 'object', properties: { 'a "key"': text, 'ключ': text, '': { type: 'null' } }, required: ['ключ'] },
	{ type: 'string', anyOf: [{ maxLength: 2 }, { minLength: 5, maxLength: 7 }] },
	{ enum: [1, 'two', null, [3, { four: 5.5 }], true] },
	strict({ phone: { ...text, pattern: '^\\+?[0-9]{2,4}( [0-9]{2,5}){1,3}$' }, zip: { ...text, pattern: '^\\d{5}(-\\d{4})?$' } }),
	strict({ matrix: { type: 'array', items: { type: 'array', items: { type: 'number', minimum: -1, maximum: 1 }, minItems: 2, maxItems: 2 }, minItems: 2, maxItems: 2 } }),
	{ type: 'object', properties: { any: {}, none: false }, required: ['any'] },
	strict({ title: { ...text, pattern: 'a.*b', minLength: 4, maxLength: 12 }, when: { ...text, format: 'date-time' } }),
	{ type: 'object', properties: { mail: { ...text, pattern: "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$" } }, required: ['mail'], propertyNames: { type: 'string' } },
];

const patterns = ['^[a-z]+$', '^(yes|no|maybe)$', '\\d{2}', '^\\S+$', '^[^aeiou]{1,5}$', 'x|y$', '^(ab?c)*$', '^\\w{3,6}$', '^[\\u00e0-\\u00ff]{2}$', '^.{2,4}$'];
const formats = ['date', 'time', 'date-time', 'email', 'ipv4', 'ipv6', 'uuid', 'hostname', 'uri', 'duration'];

function drawString(random) {
	const s = { type: 'string' };
	const kind = Math.floor(random() * 5);
	if (kind === 0) s.format = formats[Math.floor(random() * formats.length)];
	if (kind === 1) s.pattern = patterns[Math.floor(random() * patterns.length)];
	if (kind === 2) s.minLength = Math.floor(random() * 4);
	if (kind === 2 || kind === 3) s.maxLength = 4 + Math.floor(random() * 12);
	return s;
}

function drawNumber(random) {
	const s = { type: random() < 0.5 ? 'integer' : 'number' };
	const low = Math.round((random() * 2000 - 1000) * 4) / 4;
	if (random() < 0.7) s[random() < 0.5 ? 'minimum' : 'exclusiveMinimum'] = low;
	if (random() < 0.7) s[random() < 0.5 ? 'maximum' : 'exclusiveMaximum'] = low + 1.5 + Math.round(random() * 3000) / 2;
	if (random() < 0.3) Object.assign(s, { multipleOf: [1, 2, 7, 0.5, 0.25][Math.floor(random() * 5)], minimum: -9000, maximum: 9000 });
	return s;
}

function draw(random, depth) {
	const kind = Math.floor(random() * (depth > 0 ? 10 : 5));
	if (kind < 2) return drawString(random);
	if (kind < 4) return drawNumber(random);
	if (kind === 4) return [{ type: 'boolean' }, { type: 'null' }, { enum: ['a', 2, null, 'ä"\\'] }, { const: -3.25 }][Math.floor(random() * 4)];
	if (kind === 5) return { anyOf: [draw(random, depth - 1), draw(random, depth - 1)] };
	if (kind === 6) {
		const least = Math.floor(random() * 3);
		return { type: 'array', items: draw(random, depth - 1), minItems: least, maxItems: least + Math.floor(random() * 3) };
	}
	if (kind === 7) return { type: 'array', prefixItems: [draw(random, depth - 1), draw(random, depth - 1)], items: random() < 0.5 ? false : draw(random, 0), maxItems: 4 };
	const properties = {};
	const required = [];
	for (let i = Math.floor(random() * 5); i >= 0; i--) {
		const name = ['a', 'ab', 'name', 'b c', 'é', 'x"y'][i];
		properties[name] = draw(random, depth - 1);
		if (random() < 0.5) required.push(name);
	}
	const s = { type: 'object', properties, required };
	if (random() < 0.6) s.additionalProperties = random() < 0.6 ? false : draw(random, 0);
	if (random() < 0.2) s.maxProperties = required.length + 1;
	if (random() < 0.2) s.minProperties = 1;
	return s;
}

// Of another kind: branches.mjs, keys.mjs.
export function drawAll(kind) {
	const random = randomFrom(kind.seed);
	return Array.from({ length: kind.n }, () => kind.draw(random));
}

export function drawSchemas(n) {
	const random = randomFrom(17);
	return [...written, ...Array.from({ length: n - written.length }, () => draw(random, 3))];
}
