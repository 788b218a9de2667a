// branches.mjs - schemas with not, if, dependents and oneOf whose branches overlap, drawn from what can be
// negated
import { randomFrom } from './schemas.mjs';

const names = ['a', 'b', 'kind', 'x"y', 'é'];

function pick(random, list) {
	return list[Math.floor(random() * list.length)];
}

function drawScalar(random) {
	const number = Math.floor(random() * 40) - 10;
	return pick(random, [
		() => ({ type: pick(random, ['string', 'integer', 'number', 'null', 'boolean', ['string', 'null']]) }),
		() => ({ const: pick(random, ['a', 'circle', 0, 7, -2.5, null, true]) }),
		() => ({ enum: [number, 'a', 'é"', true, number + 0.5].slice(Math.floor(random() * 3)) }),
		() => ({ minimum: number }),
		() => ({ maximum: number, type: 'number' }),
		() => ({ exclusiveMinimum: number / 2, maximum: number + 5 }),
		() => ({ minLength: Math.floor(random() * 4), type: 'string' }),
		() => ({ maxLength: Math.floor(random() * 6) }),
		() => ({ pattern: pick(random, ['^a', 'b$', '[0-9]', '^.{2}$']) }),
		() => ({ format: pick(random, ['date', 'ipv4']), type: 'string' }),
	])();
}

function drawNegatable(random, depth) {
	if (depth === 0 || random() < 0.4) return drawScalar(random);
	const inner = () => drawNegatable(random, depth - 1);
	return pick(random, [
		() => ({ required: names.filter(() => random() < 0.4) }),
		() => ({ properties: { [pick(random, names)]: inner(), [pick(random, names)]: inner() } }),
		() => ({ properties: { kind: drawScalar(random) }, required: ['kind'] }),
		() => ({ minProperties: 1 + Math.floor(random() * 2) }),
		() => ({ maxItems: Math.floor(random() * 3), type: 'array' }),
		() => ({ not: inner() }),
		() => ({ anyOf: [inner(), inner()] }),
		() => ({ allOf: [inner(), inner()] }),
	])();
}

function draw(random) {
	const negatable = () => drawNegatable(random, 2);
	const properties = Object.fromEntries(names.filter(() => random() < 0.7).map((name) => [name, random() < 0.3 ? true : { ...drawScalar(random) }]));
	const object = { type: 'object', properties, additionalProperties: random() < 0.5 ? false : { type: 'null' } };
	const base = random() < 0.5 ? object : { type: ['string', 'integer', 'boolean', 'null', 'array'], maxLength: 8, items: { type: 'null' }, maxItems: 4, maximum: 100 };
	return pick(random, [
		() => ({ ...base, not: negatable() }),
		() => ({ ...base, if: negatable(), then: negatable(), else: negatable() }),
		() => ({ ...object, dependentRequired: { a: ['b'], kind: ['a', 'é'], 'x"y': [] } }),
		() => ({ ...object, dependentSchemas: { a: negatable(), b: random() < 0.5 ? false : negatable() } }),
		() => ({ ...base, oneOf: [negatable(), negatable()] }),
		() => ({ ...base, oneOf: [negatable(), negatable(), negatable()] }),
		() => ({ ...base, allOf: [{ not: negatable() }, { if: negatable(), then: negatable() }] }),
	])();
}

function drawInstance(random) {
	const scalar = () => pick(random, ['', 'a', 'ab', 'é"', 'circle', '7b', 0, 7, 2, -2.5, 12, 0.5, null, true, false, [], [null], [null, null, null]]);
	if (random() < 0.4) return scalar();
	return Object.fromEntries([...names, 'other'].filter(() => random() < 0.45).map((name) => [name, random() < 0.3 ? null : scalar()]));
}

export const branches = { draw, drawInstance, seed: 31, n: 300 };
