// statements.mjs - tests that are counted and reported as the others are
//
// A test is a statement about the page; its function throws if it does not hold.

import assert from 'node:assert/strict';

const counts = { passed: 0, failed: 0, skipped: 0 };
const chosen = process.env.PAGE_TESTS;

export async function holds(statement, test) {
	if (chosen && !statement.includes(chosen)) return;
	try {
		await test();
		counts.passed++;
	} catch (error) {
		counts.failed++;
		console.log(`FAILED: ${statement}\n${String(error.stack || error).replace(/^/gm, '    ')}`);
	}
}

export function skip(statement, why) {
	counts.skipped++;
	console.log(`skipped: ${statement}: ${why}`);
}

export function report() {
	console.log(`page: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
	return counts.failed || !counts.passed ? 1 : 0;
}

export { assert };
