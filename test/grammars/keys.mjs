// keys.mjs - schemas whose keys patterns select
import { randomFrom } from './schemas.mjs';

const names = ['a', 'b', 'ab', 'x-1', 'é', 'a"b', '', '7', 'id'];
const patterns = ['^[ab]$', '^x-', '^[a-z]+$', 'b', '^.{2}$', '^(a|ab|id)$', '[0-9]', '^$', '^[^"]*$'];

function pick(random, list) {
	return list[Math.floor(random() * list.length)];
}

function drawValue(random) {
	return pick(random, [true, { type: 'integer' }, { type: ['integer', 'null'] }, { type: 'null' }, { enum: [1, 7, null] }, { minimum: 3 }, { type: 'object' }]);
}

function drawNames(random) {
	return pick(random, [
		() => ({ pattern: pick(random, patterns) }),
		() => ({ maxLength: 2 }),
		() => ({ minLength: 1, maxLength: 3, type: 'string' }),
		() => ({ enum: names.filter(() => random() < 0.5).concat(['id', 7]) }),
		() => ({ const: 'ab' }),
		() => ({ allOf: [{ pattern: pick(random, patterns) }, { minLength: 1 }] }),
		() => ({ format: 'date' }),
		() => random() < 0.2 ? false : { type: ['string', 'null'] },
	])();
}

function draw(random) {
	const schema = { type: 'object' };
	if (random() < 0.5) schema.properties = Object.fromEntries(names.filter(() => random() < 0.3).map((name) => [name, drawValue(random)]));
	if (random() < 0.75) schema.patternProperties = Object.fromEntries(patterns.filter(() => random() < 0.25).map((pattern) => [pattern, random() < 0.1 ? false : drawValue(random)]));
	if (random() < 0.7) schema.additionalProperties = random() < 0.6 ? false : drawValue(random);
	if (random() < 0.4) schema.propertyNames = drawNames(random);
	// ajv passes over a required '' (8.20).
	if (random() < 0.2) schema.required = [pick(random, names) || 'a'];
	if (random() < 0.2) schema.minProperties = 1 + Math.floor(random() * 3);
	if (random() < 0.2) schema.maxProperties = 1 + Math.floor(random() * 3);
	return schema;
}

function drawInstance(random) {
	const chosen = names.filter(() => random() < 0.3).slice(0, 5);
	return Object.fromEntries(chosen.map((name) => [name, pick(random, [1, 7, 2, null, null, {}])]));
}

export const keys = { draw, drawInstance, seed: 77, n: 300 };
