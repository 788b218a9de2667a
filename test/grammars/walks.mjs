// walks.mjs BUILD TOKENIZER - texts that are drawn from the masks of 1,000 schemas alone: what ends is
// valid for ajv
import { createRequire } from 'node:module';
import { check, escape, report, skip, startChecker, unescape } from './checker.mjs';
import { branches } from './branches.mjs';
import { items } from './items.mjs';
import { keys } from './keys.mjs';
import { drawAll, drawSchemas } from './schemas.mjs';

const [build, tokenizer] = process.argv.slice(2);
const require = createRequire(`${process.env.GRAMMARS_MODULES}/`);
const Ajv = require('ajv/dist/2020').default;
const WALKS = 6;

export function makeAjv() {
	const ajv = new Ajv({ strict: false, multipleOfPrecision: 8 });
	require('ajv-formats').default(ajv);
	return ajv;
}

// What JSON.parse forgives: a key that comes twice.
function hasTwice(text) {
	let twice = false;
	const open = [];
	for (const [, mark, string] of text.matchAll(/([{}[\],:])|("(?:[^"\\]|\\.)*")/g)) {
		const top = open[open.length - 1];
		if (mark === '{') open.push({ keys: new Set(), atKey: true });
		else if (mark === '[') open.push({});
		else if (mark === '}' || mark === ']') open.pop();
		else if (mark === ',' && top.keys) top.atKey = true;
		else if (string && top?.atKey) {
			twice ||= top.keys.has(JSON.parse(string));
			top.keys.add(JSON.parse(string));
			top.atKey = false;
		}
	}
	return twice;
}

const checker = startChecker(build, tokenizer);
let cut = 0;
for (const schema of [...drawSchemas(200), ...drawAll(branches), ...drawAll(keys), ...drawAll(items)]) {
	const line = JSON.stringify(schema);
	const answer = await checker.ask(`schema ${line}`);
	if (answer.startsWith('unsupported') && /no text can be valid|minProperties above/.test(answer)) {
		skip(`${line}: ${answer}`);
		continue;
	}
	check(answer === 'ok', `${line}: ${answer}`);
	if (answer !== 'ok') continue;
	const validate = makeAjv().compile(schema);
	for (let seed = 1; seed <= WALKS; seed++) {
		const walk = await checker.ask(`walk ${seed} 400`);
		const [, state, escaped] = /^(\w+) (.*)$/s.exec(walk) ?? [0, walk, ''];
		const text = unescape(escaped);
		if (state === 'cut') {
			cut++;
			skip(`${line}: a text without end`);
			continue;
		}
		let valid = state === 'whole';
		try {
			valid &&= validate(JSON.parse(text)) && !hasTwice(text);
		} catch {
			valid = false;
		}
		check(valid, `${line}: ${state} ${text}: ${JSON.stringify(validate.errors)}`);
		check((await checker.ask(`take ${escape(text)}`)) === 'valid', `${line}: not taken: ${text}`);
	}
}
check(cut < 150, `${cut} texts did not end`);
checker.close();
report('schema-walks');
