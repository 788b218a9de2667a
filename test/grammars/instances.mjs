// instances.mjs BUILD TOKENIZER - values that are drawn by chance: a schema takes those that ajv finds
// valid, and no others
import { createRequire } from 'node:module';
import { branches } from './branches.mjs';
import { check, report, startChecker } from './checker.mjs';
import { items } from './items.mjs';
import { keys } from './keys.mjs';
import { drawAll, randomFrom } from './schemas.mjs';
import { takes } from './texts.mjs';

const [build, tokenizer] = process.argv.slice(2);
const require = createRequire(`${process.env.GRAMMARS_MODULES}/`);
const Ajv = require('ajv/dist/2020').default;
const INSTANCES = 25;

const random = randomFrom(5);
const checker = startChecker(build, tokenizer);
let valid = 0;
for (const [schema, kind] of [branches, keys, items].flatMap((kind) => drawAll(kind).map((s) => [s, kind]))) {
	const line = JSON.stringify(schema);
	const answer = await checker.ask(`schema ${line}`);
	const none = /no text can be valid|minProperties above/.test(answer);
	check(answer === 'ok' || none, `${line}: ${answer}`);
	const ajv = new Ajv({ strict: false });
	require('ajv-formats').default(ajv);
	const validate = ajv.compile(schema);
	for (let i = 0; i < INSTANCES && (answer === 'ok' || none); i++) {
		const value = kind.drawInstance(random);
		const expected = validate(value);
		const taken = none ? false : await takes(checker, value);
		valid += expected;
		check(taken === expected, `${line}: ${JSON.stringify(value)}: ${taken}`);
	}
}
checker.close();
check(valid > 1000, `only ${valid} values were valid`);
report('schema-instances');
