// suite.mjs BUILD TOKENIZER SUITE - the public JSON-Schema-Test-Suite, as far as schemas are
// supported: every valid instance is taken byte by byte, in some order of its properties, and no
// invalid one in any
import { readFileSync, readdirSync } from 'node:fs';
import { check, report, skip, startChecker } from './checker.mjs';
import { takes } from './texts.mjs';

const [build, tokenizer, suite] = process.argv.slice(2);

// Drafts before 2019 ignore what stands beside $ref.
const differs = [/^ref: ref overrides any sibling keywords/, /^ref: \$ref prevents a sibling \$id/];

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
