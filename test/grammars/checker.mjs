// checker.mjs - test/grammar_check.c as functions, and counting
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export function startChecker(build, tokenizer) {
	const program = spawn(`${build}/test/grammar_check`, [tokenizer], { stdio: ['pipe', 'pipe', 'inherit'] });
	const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
	async function ask(line) {
		program.stdin.write(line + '\n');
		const answer = await lines.next();
		if (answer.done) throw new Error(`grammar_check ended at: ${line.slice(0, 300)}`);
		return answer.value;
	}
	return { ask, close: () => program.stdin.end() };
}

export const escape = (text) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
export const unescape = (text) => text.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));

const counts = { passed: 0, failed: 0, skipped: 0 };
export function check(holds, what) {
	counts[holds ? 'passed' : 'failed']++;
	if (!holds) console.error(`FAILED: ${what}`);
}
export function skip(what) {
	counts.skipped++;
	if (process.env.GRAMMARS_VERBOSE) console.error(`skipped: ${what}`);
}
export function report(name) {
	console.log(`${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
	process.exitCode = counts.failed || !counts.passed ? 1 : 0;
}
