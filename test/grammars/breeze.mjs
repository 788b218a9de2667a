// breeze.mjs BUILD TOKENIZER MODEL - 10 texts of a model at temperature 1.5 by each of 21 schemas: valid, or the
// beginning of a valid one where the limit cut it; and the same without drafts
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, escape, report, startChecker } from './checker.mjs';
import { written } from './schemas.mjs';

const [build, tokenizer, model] = process.argv.slice(2);
const require = createRequire(`${process.env.GRAMMARS_MODULES}/`);
const Ajv = require('ajv/dist/2020').default;
const TEXTS = 10;

const folder = mkdtempSync(join(tmpdir(), 'brise-grammars-'));
const checker = startChecker(build, tokenizer);
let cut = 0;
for (const [i, schema] of written.entries()) {
	const path = join(folder, `${i}.json`);
	writeFileSync(path, JSON.stringify(schema));
	check((await checker.ask(`schema ${JSON.stringify(schema)}`)) === 'ok', `schema ${i}`);
	const ajv = new Ajv({ strict: false });
	require('ajv-formats').default(ajv);
	const validate = ajv.compile(schema);
	for (let seed = 1; seed <= TEXTS; seed++) {
		const draw = (...more) =>
			execFileSync(`${build}/brise`, ['run', model, 'The answer is ', '--schema', path, '-n', '150', '--temperature', '1.5', '--top-p', '1', '--seed', String(seed), ...more]).toString();
		const text = draw();
		let value;
		try {
			value = JSON.parse(text);
		} catch {
			cut++;
		}
		if (value === undefined)
			check((await checker.ask(`take ${escape(text)}`)) === 'begins', `${i}, seed ${seed}: no beginning: ${text}`);
		else check(validate(value), `${i}, seed ${seed}: ${text}: ${JSON.stringify(validate.errors)}`);
		if (seed === 1) check(draw('--no-drafts') === text, `${i}: another text without drafts`);
	}
}
checker.close();
rmSync(folder, { recursive: true });
console.error(`${cut} texts were cut`);
report('schema-texts');
