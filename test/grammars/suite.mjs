// suite.mjs BUILD TOKENIZER SUITE - the public JSON-Schema-Test-Suite, as far as schemas are
// supported: every valid instance is taken byte by byte, in some order of its properties, and no
// invalid one in any
import { readFileSync, readdirSync } from 'node:fs';
import { check, escape, report, skip, startChecker } from './checker.mjs';

const [build, tokenizer, suite] = process.argv.slice(2);
const ORDERS_MAX = 3000;

// Drafts before 2019 ignore what stands beside $ref.
const differs = [/^ref: ref overrides any sibling keywords/, /^ref: \$ref prevents a sibling \$id/];

function* permutations(list) {
	if (list.length < 2) yield list;
	else
		for (let i = 0; i < list.length; i++)
			for (const rest of permutations([...list.slice(0, i), ...list.slice(i + 1)])) yield [list[i], ...rest];
}

function* product(lists) {
	if (lists.length === 0) yield [];
	else
		for (const first of lists[0]()) for (const rest of product(lists.slice(1))) yield [first, ...rest];
}

// All texts of a value, with its properties in every order.
function* texts(value) {
	if (Array.isArray(value)) {
		for (const parts of product(value.map((v) => () => texts(v)))) yield `[${parts.join(',')}]`;
	} else if (value && typeof value === 'object') {
		for (const keys of permutations(Object.keys(value)))
			for (const parts of product(keys.map((k) => () => texts(value[k]))))
				yield `{${parts.map((part, i) => `${JSON.stringify(keys[i])}:${part}`).join(',')}}`;
	} else {
		yield JSON.stringify(value);
	}
}

async function takes(checker, value) {
	let n = 0;
	for (const text of texts(value)) {
		if (n++ === ORDERS_MAX) return undefined;
		if ((await checker.ask(`take ${escape(text)}`)) === 'valid') return true;
	}
	return false;
}

const checker = startChecker(build, tokenizer);
const folder = `${suite}/tests/draft7`;
const files = [
	...readdirSync(folder).filter((f) => f.endsWith('.json')),
	...['date', 'time', 'date-time', 'email', 'hostname', 'ipv4', 'ipv6', 'uri'].map((f) => `optional/format/${f}.json`),
];
for (const file of files.sort())
	for (const group of JSON.parse(readFileSync(`${folder}/${file}`))) {
		const name = `${file.replace(/.*\/|\.json$/g, '')}: ${group.description}`;
		const answer = await checker.ask(`schema ${JSON.stringify(group.schema)}`);
		if (differs.some((d) => d.test(name)) || (answer.startsWith('unsupported') && !answer.includes('no text can be valid'))) {
			skip(`${name}: ${answer}`);
			continue;
		}
		check(answer === 'ok' || answer.includes('no text can be valid'), `${name}: ${answer}`);
		for (const test of group.tests) {
			const valid = answer === 'ok' ? await takes(checker, test.data) : false;
			check(valid === test.valid, `${name}: ${test.description}: ${JSON.stringify(test.data)}: ${valid}`);
		}
	}
checker.close();
report('schema-suite');
