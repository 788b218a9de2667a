// browser.mjs - the page in headless Chromium, with a server whose answers the test chooses
//
// In every test the page may ask for nothing from elsewhere, break no rule of its policy, and write
// no error to the console, unless the test says what it expects.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { assert, holds } from './statements.mjs';
import { beginStream, pageHeaders, pause, refuse, startFake, streamText } from './fake_server.mjs';

const SIZES = {
	wide: { viewport: { width: 1200, height: 800 } },
	dark: { viewport: { width: 1200, height: 800 }, colorScheme: 'dark' },
	phone: { viewport: { width: 360, height: 700 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

export const SAMPLE = `Position *p* is in **slot p mod W** of \`ring\`.

## Steps

1. Take it.
   - the oldest goes
2. Write it.

\`\`\`c
size_t slot = position % window; memcpy(keys + slot * head_dim, key, head_dim); /* ${'long '.repeat(30)}*/
\`\`\`

| type | bits |
|------|-----:|
| q4   | 4.25 |

> A window of 4,096.

[The paper](https://arxiv.org/abs/2310.06825) says more.`;

let browser, fake, axe;

// Opens the page and runs a test with it; errors: what may be written to the console.
async function withPage(size, errors, test) {
	const context = await browser.newContext({ ...SIZES[size], acceptDownloads: true }), faults = [];
	context.setDefaultTimeout(8000);
	context.on('page', (page) => {
		page.on('request', (request) => { if (!request.url().startsWith(fake.address) && !request.url().startsWith('blob:')) faults.push(`asked for ${request.url()}`); });
		page.on('console', (line) => { if (['error', 'warning'].includes(line.type()) && !(errors && errors.test(line.text()))) faults.push(`console: ${line.text()}`); });
		page.on('pageerror', (error) => faults.push(`script: ${error.stack}`));
	});
	await context.addInitScript(() => {
		window.violations = [];
		document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
	});
	const page = await context.newPage();
	Object.assign(fake, { answers: [streamText('Hello.')], requests: [], key: null, gone: 0, context: 4096 });
	try {
		await page.goto(fake.address);
		await page.waitForFunction(() => document.getElementById('model').textContent !== '' || document.querySelector('dialog[open]'));
		await test(page, context);
		faults.push(...(await page.evaluate(() => window.violations)));
		assert.deepEqual(faults, []);
	} finally {
		await context.close();
	}
}

async function sees(statement, size, test, errors = null) {
	await holds(statement, () => withPage(size, errors, test));
}

const say = async (page, text) => {
	await page.fill('#text', text);
	await page.press('#text', 'Enter');
};
const answered = (page, n = 1) => page.waitForFunction((count) => document.querySelectorAll('.figures').length >= count && document.getElementById('stop').hidden, n);
const talk = async (page, text, answer) => {
	const before = await page.locator('.figures').count();
	if (answer) fake.answers = [streamText(answer)];
	await page.fill('#text', text);
	await page.click('#send');
	await answered(page, before + 1);
};
// Reloads when the answer that is shown has been kept, which takes some milliseconds.
async function reload(page) {
	await page.waitForFunction(() => new Promise((done) => {
		const request = indexedDB.open('brise');
		request.onsuccess = () => {
			const all = request.result.transaction('whole').objectStore('whole').getAll();
			all.onsuccess = () => {
				const c = all.result.find(({ id }) => location.hash === `#c=${id}`), last = c?.messages.find((m) => m.id === c.leaf);
				request.result.close();
				done(last && last.end !== 'begun');
			};
		};
	}));
	await page.reload();
}
const bodies = (page) => page.locator('#messages .body').allInnerTexts();
const press = (page, name, nth = -1) => page.locator('#messages').getByRole('button', { name, exact: true }).nth(nth).click();
const contains = (page, selector, text) => page.waitForFunction(([where, what]) => document.querySelector(where)?.textContent.includes(what), [selector, text]);

async function testConversation() {
	await sees('a message is sent, and its answer streams', 'wide', async (page) => {
		let go;
		fake.answers = [async (body, reply) => {
			const write = beginStream(reply);
			write({ role: 'assistant', content: '' });
			write({ content: 'The first part' });
			await new Promise((done) => { go = done; });
			streamText(' and the second.').call(null, body, { ...reply, writeHead() {}, write: reply.write.bind(reply), end: reply.end.bind(reply) });
		}];
		await say(page, 'How?');
		await contains(page, '.assistant .body', 'The first part');
		assert.equal(await page.locator('.figures').count(), 0);
		assert.equal(await page.getAttribute('#log', 'aria-busy'), 'true');
		go();
		await answered(page);
		assert.deepEqual(await bodies(page), ['How?', 'The first part and the second.']);
		assert.deepEqual(fake.requests, [{ model: 'breeze-chat.brise', messages: [{ role: 'user', content: 'How?' }], stream: true, stream_options: { include_usage: true } }]);
		assert.match(await page.innerText('.figures'), /^4 tokens · [\d.,]+ tokens\/s$/);
		assert.match(await page.innerText('#window'), /24 of 4,096 tokens/);
		assert.equal(await page.getAttribute('#log', 'aria-busy'), 'false');
		assert.match(await page.textContent('#announce'), /^Answer: The first part and the second\./);
		assert.equal(await page.inputValue('#text'), '');
	});
	await sees('an answer that streams keeps what is there, and shows no marks that turn into form', 'wide', async (page) => {
		await page.evaluate(() => {
			window.seen = [];
			window.removed = 0;
			new MutationObserver((changes) => {
				const body = document.querySelector('.assistant .body');
				if (!body || !document.getElementById('log').matches('[aria-busy=true]')) return;
				window.seen.push(body.innerText);
				for (const change of changes) if (body.contains(change.target)) window.removed += [...change.removedNodes].filter((node) => node.nodeType === 1).length;
			}).observe(document.getElementById('messages'), { childList: true, subtree: true, characterData: true });
		});
		fake.answers = [streamText(SAMPLE, { ms: 4, size: 3 })];
		await say(page, 'How?');
		await answered(page);
		const { seen, removed } = await page.evaluate(() => ({ seen: window.seen, removed: window.removed }));
		assert.ok(seen.length > 5, `${seen.length} steps`);
		for (const text of seen) assert.doesNotMatch(text.replace(/size_t[^]*?\*\/|size_t[^]*/, ''), /\*|`|\||#|^-/m, text);
		assert.ok(removed <= 6, `${removed} elements were replaced`);
	});
	await sees('what is selected in an answer stays selected while it grows', 'wide', async (page) => {
		fake.answers = [streamText(`A first paragraph.\n\nHere is *some* text that ${'grows and '.repeat(60)}ends.`, { ms: 5, size: 5 })];
		await say(page, 'How?');
		await contains(page, '.assistant .body', 'text that grows');
		await page.evaluate(() => {
			const last = document.querySelector('.assistant .body p:last-child').lastChild;
			getSelection().setBaseAndExtent(last, 1, last, 10);
		});
		await answered(page);
		assert.equal(await page.evaluate(() => getSelection().toString()), 'text that');
	});
	await sees('a window that rolls on is said to', 'wide', async (page) => {
		fake.context = 0;
		await page.reload();
		await talk(page, 'One');
		assert.equal((await page.innerText('#window')).trim(), '22 of 30 tokens');
		fake.answers = [streamText('Hello.', { prompt: 1000 })];
		await talk(page, 'Two');
		assert.equal((await page.innerText('#window')).trim(), 'the last 30 of 1,002 tokens');
	});
	await sees('Markdown becomes elements', 'wide', async (page) => {
		await talk(page, 'How?', SAMPLE);
		const count = (selector) => page.locator(`.assistant .body ${selector}`).count();
		for (const [selector, n] of [['em', 1], ['strong', 1], ['h4', 1], ['ol > li', 2], ['ol ul > li', 1], ['pre code', 1], ['tbody td', 2], ['td.right', 1], ['blockquote', 1], ['a[rel~=noopener][target=_blank]', 1]]) assert.equal(await count(selector), n, selector);
		assert.equal(await page.innerText('.code .bar span'), 'c');
	});
	await sees('code is copied by its button', 'wide', async (page, context) => {
		await context.grantPermissions(['clipboard-read', 'clipboard-write']);
		await talk(page, 'Code', '```\na < b\n  c\n```');
		await page.click('.code button');
		await contains(page, '.code button', 'Copied');
		assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'a < b\n  c');
	});
	await sees('code is copied without a secure context, too', 'wide', async (page) => {
		await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
		await page.evaluate(() => document.addEventListener('copy', () => { window.copied = document.activeElement.value; }));
		await talk(page, 'Code', '```\na < b\n```');
		await page.click('.code button');
		await contains(page, '.code button', 'Copied');
		assert.equal(await page.evaluate(() => window.copied), 'a < b');
	});
	await sees('Esc stops an answer, which stays as far as it came and is continued', 'wide', async (page) => {
		fake.answers = [streamText('word '.repeat(1000), { ms: 5, size: 5 }), streamText('and the end.')];
		await say(page, 'Many');
		await contains(page, '.assistant .body', 'word word');
		await page.keyboard.press('Escape');
		await contains(page, '.note', 'Stopped.');
		for (let i = 0; i < 50 && !fake.gone; i++) await pause(20);
		assert.equal(fake.gone, 1);
		const part = (await page.evaluate(() => document.querySelector('.assistant .body').textContent)).trim();
		await press(page, 'Continue');
		await contains(page, '.assistant .body', 'and the end.');
		await answered(page);
		const last = fake.requests[1].messages[1];
		assert.equal(last.role, 'assistant');
		assert.equal(last.prefix, true);
		assert.equal(last.content.trim(), part);
		assert.equal(await page.locator('.assistant').count(), 1);
		assert.equal(await page.locator('.note').count(), 0);
	});
	await sees('the button stops, too, before the first part as well', 'wide', async (page) => {
		fake.answers = [(body, reply) => beginStream(reply)];
		await say(page, 'Wait');
		await contains(page, '.waiting', 'Reading the prompt');
		await page.click('#stop');
		await contains(page, '.problem', 'no answer yet');
		fake.answers = [streamText('Now.')];
		await press(page, 'Answer');
		await answered(page);
		assert.deepEqual(await bodies(page), ['Wait', 'Now.']);
	});
	await sees('after a reload the conversation is there, and goes on', 'wide', async (page) => {
		await talk(page, 'One', 'First *answer*');
		await reload(page);
		await contains(page, '.assistant .body', 'First answer');
		await contains(page, '#list a', 'One');
		assert.match(await page.innerText('.figures'), /tokens\/s/);
		await talk(page, 'Two', 'Second answer');
		assert.deepEqual(fake.requests[1].messages.map((m) => m.content), ['One', 'First *answer*', 'Two']);
	});
	await sees('a reload in the middle of an answer keeps what has come', 'wide', async (page) => {
		fake.answers = [async (body, reply) => beginStream(reply)({ content: 'Half an answer' })];
		await say(page, 'One');
		await contains(page, '.assistant .body', 'Half');
		await page.evaluate(() => {
			Object.defineProperty(document, 'visibilityState', { value: 'hidden' });
			document.dispatchEvent(new Event('visibilitychange'));
		});
		await pause(200);
		await page.reload();
		await contains(page, '.assistant .body', 'Half an answer');
		await contains(page, '.note', 'closed before');
	});
	await sees('a retry makes a version, and versions are switched', 'wide', async (page) => {
		await talk(page, 'One', 'Answer A');
		fake.answers = [streamText('Answer B')];
		await press(page, 'Retry');
		await contains(page, '.assistant .body', 'Answer B');
		await answered(page);
		assert.match(await page.innerText('.assistant .versions'), /2\/2/);
		await talk(page, 'Two', 'Below B');
		await press(page, 'Previous version', 0);
		assert.deepEqual(await bodies(page), ['One', 'Answer A']);
		assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Next version');
		await page.keyboard.press('Enter');
		assert.deepEqual(await bodies(page), ['One', 'Answer B', 'Two', 'Below B']);
		await reload(page);
		await contains(page, '#messages', 'Below B');
	});
	await sees('a retry that fails leaves the earlier answer', 'wide', async (page) => {
		await talk(page, 'One', 'Answer A');
		fake.answers = [refuse(400, 'too long')];
		await press(page, 'Retry');
		await contains(page, '.problem', 'too long');
		assert.deepEqual(await bodies(page), ['One', 'Answer A']);
	}, /400/);
	await sees('an edited message begins a branch, and the other stays', 'wide', async (page) => {
		await talk(page, 'One', 'Answer A');
		await press(page, 'Edit', 0);
		await page.fill('.editor textarea', 'Uno');
		fake.answers = [streamText('Answer U')];
		await page.press('.editor textarea', 'Enter');
		await contains(page, '.assistant .body', 'Answer U');
		await answered(page);
		assert.deepEqual(await bodies(page), ['Uno', 'Answer U']);
		assert.deepEqual(fake.requests[1].messages, [{ role: 'user', content: 'Uno' }]);
		await press(page, 'Previous version', 0);
		assert.deepEqual(await bodies(page), ['One', 'Answer A']);
	});
	await sees('an edited answer is a version, and what follows reads it', 'wide', async (page) => {
		await talk(page, 'One', 'Answer A');
		await press(page, 'Edit', 1);
		await page.fill('.editor textarea', 'Answer as I want it');
		await press(page, 'Save as a version');
		assert.deepEqual(await bodies(page), ['One', 'Answer as I want it']);
		await say(page, 'Two');
		await page.waitForFunction(() => document.querySelectorAll('.assistant').length === 2);
		assert.equal(fake.requests[1].messages[1].content, 'Answer as I want it');
	});
	await sees('settings go with each request of their conversation', 'wide', async (page) => {
		await page.click('#show-settings');
		await page.fill('#system', 'Be brief.');
		await page.fill('#sampling-temperature', '0.3');
		await page.fill('#sampling-top_p', '0.9');
		await page.fill('#sampling-min_p', '7');
		assert.equal(await page.getAttribute('#sampling-min_p', 'aria-invalid'), 'true');
		await page.fill('#sampling-max_tokens', '50');
		await page.fill('#sampling-seed', '11');
		await page.getByRole('button', { name: 'Done' }).click();
		await talk(page, 'One');
		await press(page, 'Retry');
		await page.waitForFunction(() => document.querySelector('.assistant .versions'));
		const { messages, ...rest } = fake.requests[0];
		assert.deepEqual(messages[0], { role: 'system', content: 'Be brief.' });
		assert.deepEqual(rest, { model: 'breeze-chat.brise', stream: true, stream_options: { include_usage: true }, temperature: 0.3, top_p: 0.9, max_tokens: 50, seed: 11 });
		assert.equal(fake.requests[1].seed, 12);
		await page.click('#new');
		await talk(page, 'Other');
		assert.equal(fake.requests[2].temperature, undefined);
	});
	await sees('the length of an answer that is cut is said', 'wide', async (page) => {
		fake.answers = [streamText('A part', { end: 'length' })];
		await say(page, 'One');
		await contains(page, '.note', 'most tokens');
	});
	await sees('an answer goes on while another conversation is shown', 'wide', async (page) => {
		fake.answers = [streamText('slowly '.repeat(60), { ms: 10, size: 7 }), streamText('Quick.')];
		await say(page, 'Slow one');
		await contains(page, '.assistant .body', 'slowly');
		await page.click('#new');
		await contains(page, '#list', 'answering');
		await talk(page, 'Quick one');
		await page.locator('#list a', { hasText: 'Slow one' }).click();
		await answered(page);
		assert.equal((await bodies(page))[1].trim(), 'slowly '.repeat(60).trim());
	});
}

async function testReasoning() {
	const summary = (page) => page.innerText('.thought summary');
	await sees('reasoning is folded in front of the answer, and goes with it in the next request', 'wide', async (page) => {
		fake.answers = [streamText('The *answer*.', { thought: '  Let me *see*:\n<b>so</b>' })];
		await say(page, 'How?');
		await answered(page);
		assert.equal(await summary(page), 'Reasoning');
		assert.ok(!(await page.isVisible('.thought div')));
		assert.equal(await page.innerText('.assistant .body'), 'The answer.');
		assert.match(await page.textContent('#announce'), /^Answer: The answer\./);
		await page.focus('.thought summary');
		await page.keyboard.press('Enter');
		assert.equal(await page.innerText('.thought div'), 'Let me *see*:\n<b>so</b>');
		await reload(page);
		await contains(page, '.thought div', 'Let me');
		fake.answers = [streamText('Yes.')];
		await talk(page, 'Sure?');
		assert.deepEqual(fake.requests[1].messages[1], { role: 'assistant', content: 'The *answer*.', reasoning_content: 'Let me *see*:\n<b>so</b>' });
		assert.ok(!(await page.locator('.thought').nth(1).isVisible()));
	});
	await sees('reasoning that is open grows, and what is selected in it stays selected', 'wide', async (page) => {
		fake.answers = [streamText('Done.', { thought: `some text that ${'grows and '.repeat(60)}ends.`, ms: 5, size: 5 })];
		await say(page, 'How?');
		await contains(page, '.thought div', 'text that grows');
		assert.equal(await summary(page), 'Reasoning\u2026');
		assert.ok(!(await page.isVisible('.assistant .body')));
		await page.click('.thought summary');
		await page.evaluate(() => {
			const text = document.querySelector('.thought div').firstChild;
			getSelection().setBaseAndExtent(text, 5, text, 14);
		});
		await answered(page);
		assert.equal(await page.evaluate(() => getSelection().toString()), 'text that');
		assert.ok(await page.isVisible('.thought div'));
		assert.equal(await summary(page), 'Reasoning');
	});
	await sees('reasoning without an answer is said, stays, and is continued', 'wide', async (page) => {
		fake.answers = [streamText('', { thought: 'On and on', end: 'length' }), streamText('Done.', { thought: ' and to the end.' }), streamText('', { thought: 'Hm' })];
		await say(page, 'How?');
		await contains(page, '.note', 'most tokens');
		await press(page, 'Continue');
		await contains(page, '.assistant .body', 'Done.');
		await answered(page);
		assert.deepEqual(fake.requests[1].messages[1], { role: 'assistant', content: [{ type: 'thinking', thinking: 'On and on', closed: false }], prefix: true });
		assert.equal(await page.textContent('.thought div'), 'On and on and to the end.');
		await say(page, 'More?');
		await contains(page, '.note', 'only reasoning');
	});
}

async function testHostile() {
	const evil = '<script>window.hit=1</script><img src=x onerror="window.hit=1"> [x](javascript:window.hit=1) <svg onload=hit=1> <a href="javascript:1">y</a> ![p](https://elsewhere.test/p.png)';
	const harmless = async (page) => {
		assert.equal(await page.evaluate(() => window.hit), undefined);
		assert.equal(await page.evaluate(() => document.querySelectorAll('main script, main img, main iframe, main svg[onload], aside script, [href^="javascript" i]').length), 0);
	};
	await sees('markup and bad links in an answer are text', 'wide', async (page) => {
		await talk(page, evil, `${evil}\n\n- ${evil}\n\n| ${evil} |\n|---|\n| ${evil} |\n\n\`\`\`html\n${evil}\n\`\`\`\n`);
		const text = await page.innerText('.assistant .body');
		assert.ok(text.includes('<script>window.hit=1</script><img src=x onerror="window.hit=1"> [x](javascript:window.hit=1)'), text);
		await harmless(page);
		await reload(page);
		await contains(page, '.assistant .body', '<script>');
		await harmless(page);
	});
	await sees('markup in names, errors and what the server says is text', 'wide', async (page) => {
		fake.answers = [refuse(400, evil)];
		await page.setInputFiles('#files', { name: '<img src=x onerror=hit=1>.txt', mimeType: 'text/plain', buffer: Buffer.from(evil) });
		await contains(page, '#chips', '<img src=x');
		await say(page, evil);
		await contains(page, '.problem', '<script>');
		await page.click('.documents summary');
		await harmless(page);
		fake.answers = [async (body, reply) => {
			beginStream(reply)({ content: 'Part' });
			reply.end(`data: ${JSON.stringify({ error: { message: evil } })}\n\n`);
		}];
		await press(page, 'Try again');
		await contains(page, '.note', '<script>');
		await harmless(page);
	}, /400/);
	await sees('events of any form do no harm', 'wide', async (page) => {
		fake.answers = [async (body, reply) => {
			beginStream(reply)({ content: 'Part' });
			for (const data of ['null', '{}', '{"choices":[]}', '{"choices":[{"delta":null}]}', '{"choices":[{"delta":{"content":7,"reasoning_content":[]}}]}', '{"choices":{"0":1}}']) reply.write(`data: ${data}\n\n`);
			reply.end('data: [DONE]\n\n');
		}, streamText('Whole.')];
		await say(page, 'One');
		await contains(page, '.assistant .body', 'Part');
		await page.waitForFunction(() => document.getElementById('stop').hidden);
		await talk(page, 'Two');
	});
	await holds('the policy forbids markup, inline scripts and foreign addresses even to the page itself', async () => {
		const context = await browser.newContext(), page = await context.newPage();
		await page.goto(fake.address);
		const results = await page.evaluate(async () => {
			const tried = {};
			try { document.body.innerHTML = '<b>x</b>'; tried.markup = true; } catch { tried.markup = false; }
			// Not from the debugger, which may.
			await new Promise((done) => setTimeout(() => { try { window.eval('1'); tried.eval = true; } catch { tried.eval = false; } done(); }));
			try { await fetch('https://elsewhere.test/'); tried.fetch = true; } catch { tried.fetch = false; }
			const violations = [];
			document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective));
			await fetch('https://elsewhere.test/').catch(() => {});
			document.body.append(Object.assign(document.createElement('img'), { src: 'https://elsewhere.test/x.png' }));
			try { document.body.setAttribute('onclick', 'window.hit = 1'); tried.handler = true; } catch { tried.handler = false; }
			document.body.click();
			await new Promise((done) => setTimeout(done, 200));
			return { ...tried, hit: window.hit, violations: [...new Set(violations)].sort() };
		});
		await context.close();
		assert.deepEqual(results, { markup: false, eval: false, fetch: false, handler: false, hit: undefined, violations: ['connect-src', 'img-src', 'require-trusted-types-for'] });
	});
}

async function testServer() {
	await sees('a server that wants a key is given one, which is not kept unless wanted', 'wide', async (page, context) => {
		fake.key = 'secret';
		await page.reload();
		await say(page, 'One');
		await page.waitForSelector('#keys[open]');
		await page.fill('#key', 'wrong');
		await page.press('#key', 'Enter');
		await page.waitForFunction(() => document.querySelector('#keys[open]') && document.getElementById('key').value === 'wrong');
		await page.fill('#key', 'secret');
		await page.click('#use-key');
		await contains(page, '.assistant .body', 'Hello.');
		assert.ok(!(await page.evaluate(() => JSON.stringify(localStorage))).includes('secret'));
		await page.reload();
		await talk(page, 'Two');
		await page.click('#show-keys');
		await page.check('#remember');
		await page.click('#use-key');
		const other = await context.newPage();
		await other.goto(fake.address);
		await talk(other, 'Three');
		await other.close();
	}, /401/);
	await sees('a server that is full is asked again when it says', 'wide', async (page) => {
		fake.answers = [refuse(503, 'all places are taken', { 'Retry-After': '2' }), streamText('Now.')];
		await say(page, 'One');
		await contains(page, '.waiting', 'The server is busy: all places are taken. Asking again in 2 s.');
		const start = Date.now();
		await contains(page, '.assistant .body', 'Now.');
		assert.ok(Date.now() - start > 1500, `${Date.now() - start} ms`);
	}, /503/);
	await sees('waiting is stopped by Esc', 'wide', async (page) => {
		fake.answers = [refuse(503, 'the model is loading', { 'Retry-After': '30' })];
		await say(page, 'One');
		await contains(page, '.waiting', 'the model is loading. Asking again in');
		await page.keyboard.press('Escape');
		await contains(page, '.problem', 'no answer yet');
		assert.equal(await page.locator('.waiting').count(), 0);
		assert.equal(fake.requests.length, 1);
	}, /503/);
	await sees('a server that is gone is waited for', 'wide', async (page) => {
		const { port } = fake;
		await fake.close();
		await say(page, 'One');
		await contains(page, '.waiting', 'The server does not answer. Asking again in 1 s.');
		await fake.listen(port);
		await contains(page, '.assistant .body', 'Hello.');
	}, /ERR_CONNECTION/);
	await sees('a connection that breaks leaves the part, and the answer is continued', 'wide', async (page) => {
		fake.answers = [async (body, reply) => {
			beginStream(reply)({ content: 'Half of' });
			await pause(100);
			reply.destroy();
		}, streamText(' it.')];
		await say(page, 'One');
		await contains(page, '.note', 'broke off');
		await press(page, 'Continue');
		await contains(page, '.assistant .body', 'Half of it.');
	}, /ERR_/);
	await sees('what the server refuses is said, and can be tried again', 'wide', async (page) => {
		fake.answers = [refuse(400, 'the prompt has 9,000 tokens, the context 4,096'), streamText('Now.')];
		await say(page, 'One');
		await contains(page, '.problem [role=alert]', 'The server refused: the prompt has 9,000 tokens');
		await press(page, 'Try again');
		await contains(page, '.assistant .body', 'Now.');
	}, /400/);
}

async function testDocuments() {
	const file = (name, content) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(content) });
	await sees('documents are chips, and go in front of the message', 'wide', async (page) => {
		await page.setInputFiles('#files', [file('a.txt', 'Alpha\r\n'), file('b.md', 'Beta'), file('c.txt', 'Gamma')]);
		await page.getByRole('button', { name: 'Remove c.txt' }).click();
		assert.equal(await page.locator('#chips li').count(), 2);
		await talk(page, 'Sum up');
		assert.equal(fake.requests[0].messages[0].content, 'Document: a.txt\n\nAlpha\n\nDocument: b.md\n\nBeta\n\nSum up');
		assert.equal(await page.locator('.user details').count(), 2);
		assert.equal(await page.locator('#chips li').count(), 0);
		await reload(page);
		await contains(page, '.user details', 'a.txt');
	});
	await sees('documents are dropped in', 'wide', async (page) => {
		const data = await page.evaluateHandle(() => {
			const transfer = new DataTransfer();
			transfer.items.add(new File(['Dropped'], 'd.txt', { type: 'text/plain' }));
			return transfer;
		});
		await page.dispatchEvent('#log', 'dragover', { dataTransfer: data });
		assert.ok(await page.isVisible('#drop'));
		await page.dispatchEvent('#log', 'drop', { dataTransfer: data });
		await contains(page, '#chips', 'd.txt');
		assert.ok(!(await page.isVisible('#drop')));
	});
	await sees('what is no text, or too large, is refused in words', 'wide', async (page) => {
		await page.setInputFiles('#files', [file('x.png', Buffer.from([0x89, 0x50, 0xff, 0xfe])), file('z.bin', 'a\0b'), file('l.txt', 'x'.repeat(1000001))]);
		await contains(page, '#notice', 'x.png is no text in UTF-8; z.bin is no text; l.txt has 1,000 kB, a document may have 1,000 kB');
		assert.equal(await page.locator('#chips li').count(), 0);
	});
}

async function testKeeping() {
	await sees('conversations are listed, renamed, searched and deleted', 'wide', async (page) => {
		await talk(page, 'About apples', 'They are **red**');
		await page.click('#new');
		await talk(page, 'About pears', 'They are green');
		await page.waitForFunction(() => document.querySelectorAll('#list a').length === 2);
		assert.deepEqual(await page.locator('#list a').allInnerTexts(), ['About pears', 'About apples']);
		await page.fill('#search', 'RED');
		await page.waitForFunction(() => document.querySelectorAll('#list a').length === 1);
		assert.equal(await page.innerText('#list a'), 'About apples');
		await page.fill('#search', 'nowhere');
		await contains(page, '#none', 'Nothing found');
		await page.fill('#search', '');
		await page.click('#show-more');
		await page.click('#rename');
		await page.fill('#question-field', 'Fruit');
		await page.press('#question-field', 'Enter');
		await contains(page, '#list a[aria-current]', 'Fruit');
		await page.click('#show-more');
		await page.click('#delete');
		await page.getByRole('button', { name: 'Cancel' }).click();
		assert.equal(await page.locator('#list a').count(), 2);
		await page.click('#show-more');
		await page.click('#delete');
		await page.click('#question-yes');
		await page.waitForFunction(() => document.querySelectorAll('#list a').length === 1);
		assert.equal(await page.locator('#messages li').count(), 0);
		await page.goBack();
		await page.reload();
		await page.waitForFunction(() => document.querySelectorAll('#list a').length === 1);
	});
	await sees('a conversation that is deleted while it is answered does not come back', 'wide', async (page) => {
		fake.answers = [streamText('word '.repeat(500), { ms: 5, size: 5 })];
		await say(page, 'Long');
		await contains(page, '.assistant .body', 'word');
		await page.click('#show-more');
		await page.click('#delete');
		await page.click('#question-yes');
		await contains(page, '#none', 'No conversations');
		await pause(300);
		await page.reload();
		await contains(page, '#model', 'breeze');
		assert.equal(await page.locator('#list a').count(), 0);
	});
	await sees('conversations are exported and imported', 'wide', async (page, context) => {
		await talk(page, 'One', 'Answer');
		await page.click('#new');
		await talk(page, 'Two', 'Answer');
		const [all] = await Promise.all([page.waitForEvent('download'), page.click('#export-all')]);
		assert.match(all.suggestedFilename(), /^brise-\d{4}-\d\d-\d\d\.json$/);
		const text = readFileSync(await all.path(), 'utf8');
		assert.equal(JSON.parse(text).conversations.length, 2);
		await page.click('#show-more');
		const [one] = await Promise.all([page.waitForEvent('download'), page.click('#export')]);
		assert.equal(JSON.parse(readFileSync(await one.path(), 'utf8')).conversations[0].title, 'Two');
		const other = await browser.newContext(), fresh = await other.newPage();
		await fresh.goto(fake.address);
		await fresh.setInputFiles('#import-file', { name: 'all.json', mimeType: 'application/json', buffer: Buffer.from(text) });
		await contains(fresh, '#notice', '2 conversations imported.');
		await fresh.locator('#list a', { hasText: 'One' }).click();
		await contains(fresh, '.assistant .body', 'Answer');
		await fresh.setInputFiles('#import-file', { name: 'bad.json', mimeType: 'application/json', buffer: Buffer.from('{"conversations":[{}]}') });
		await contains(fresh, '#notice', 'bad.json was not imported: the file has no "format"');
		await other.close();
	});
	await sees('two tabs show the same conversation', 'wide', async (page, context) => {
		await talk(page, 'One', 'Answer');
		const other = await context.newPage();
		await other.goto(page.url());
		await contains(other, '.assistant .body', 'Answer');
		await talk(other, 'Two', 'From the other tab');
		await contains(page, '#messages', 'From the other tab');
	});
	await sees('a browser without room says so', 'wide', async (page, context) => {
		const client = await context.newCDPSession(page);
		await client.send('Storage.overrideQuotaForOrigin', { origin: fake.address.slice(0, -1), quotaSize: 1000 });
		await page.setInputFiles('#files', { name: 'l.txt', mimeType: 'text/plain', buffer: Buffer.from('x'.repeat(900000)) });
		await say(page, 'One');
		await contains(page, '#notice', 'The browser has no more room for conversations: delete some, or export them first.');
		await contains(page, '.assistant .body', 'Hello.');
	});
	await holds('a browser without a database works, and says that nothing is kept', async () => {
		const context = await browser.newContext(), page = await context.newPage();
		await context.addInitScript(() => Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('no', 'SecurityError'); } }));
		fake.answers = [streamText('Hello.')];
		await page.goto(fake.address);
		await contains(page, '#notice', 'keeps no data');
		await talk(page, 'One');
		await contains(page, '#list', 'One');
		await context.close();
	});
}

async function testUse() {
	await sees('keys do what the list of shortcuts says', 'wide', async (page) => {
		await page.keyboard.press('Control+/');
		assert.ok(await page.isVisible('#shortcuts'));
		await page.keyboard.press('Escape');
		await page.locator('#text').pressSequentially('a');
		await page.press('#text', 'Shift+Enter');
		await page.locator('#text').pressSequentially('b');
		await page.press('#text', 'Enter');
		await answered(page);
		assert.equal(fake.requests[0].messages[0].content, 'a\nb');
		await page.press('#text', 'ArrowUp');
		assert.equal(await page.inputValue('.editor textarea'), 'a\nb');
		await page.keyboard.press('Escape');
		assert.equal(await page.locator('.editor').count(), 0);
		assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
		await page.keyboard.press('Control+k');
		assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
		await page.keyboard.press('Control+Shift+O');
		await contains(page, '#title', 'New conversation');
		assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
	});
	await sees('Enter that ends the composition of a character sends nothing', 'wide', async (page) => {
		await page.fill('#text', 'かな');
		await page.dispatchEvent('#text', 'keydown', { key: 'Enter', isComposing: true });
		await pause(100);
		assert.equal(fake.requests.length, 0);
	});
	await sees('every control is reached by the tabulator, in the order of the page', 'wide', async (page) => {
		await talk(page, 'One', SAMPLE);
		const seen = [];
		await page.evaluate(() => { document.activeElement.blur(); document.body.focus(); });
		for (let i = 0; i < 60; i++) {
			await page.keyboard.press('Tab');
			const [id, where] = await page.evaluate(() => {
				const node = document.activeElement, box = node.getBoundingClientRect();
				return [node.id || node.getAttribute('data-id') || node.textContent.slice(0, 20), getComputedStyle(node).outlineStyle !== 'none' || node.id === 'text' || node === document.body || box.width === 0];
			});
			if (id === 'new' && seen.includes('new')) break;
			assert.ok(where, `${id} shows its focus`);
			seen.push(id);
		}
		for (const id of ['new', 'search', 'export-all', 'theme', 'show-settings', 'show-more', 'log', 'text', 'attach']) assert.ok(seen.includes(id), `${id} of ${seen}`);
		assert.ok(seen.indexOf('search') < seen.indexOf('show-settings') && seen.indexOf('show-settings') < seen.indexOf('log') && seen.indexOf('log') < seen.indexOf('text'), String(seen));
		assert.ok(seen.includes('Retry') && seen.includes('Copy'));
	});
	await sees('what is typed is there after a reload', 'wide', async (page) => {
		await page.fill('#text', 'A draft');
		await page.reload();
		await page.waitForFunction(() => document.getElementById('text').value === 'A draft');
	});
	await sees('the theme follows the system, or what is chosen', 'dark', async (page) => {
		const dark = () => page.evaluate(() => {
			const [r] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
			return r < 100;
		});
		assert.equal(await dark(), true);
		await page.selectOption('#theme', 'light');
		assert.equal(await dark(), false);
		await page.reload();
		await contains(page, '#model', 'breeze');
		assert.equal(await dark(), false);
		await page.selectOption('#theme', '');
		assert.equal(await dark(), true);
	});
	await sees('a reader who scrolls up stays there, and gets back by a button', 'wide', async (page) => {
		fake.answers = [streamText('line\n\n'.repeat(150), { ms: 8, size: 6 })];
		await say(page, 'Long');
		await page.waitForFunction(() => document.getElementById('log').scrollTop > 300);
		await page.evaluate(() => { document.getElementById('log').scrollTop = 100; });
		await pause(300);
		assert.equal(await page.evaluate(() => document.getElementById('log').scrollTop), 100);
		await page.click('#to-end');
		await answered(page);
		assert.ok(await page.evaluate(() => { const log = document.getElementById('log'); return log.scrollHeight - log.scrollTop - log.clientHeight < 60; }));
	});
	await sees('on a phone nothing is wider than the screen, and the list opens and closes', 'phone', async (page) => {
		fake.answers = [streamText(SAMPLE)];
		await page.fill('#text', 'A question');
		await page.tap('#send');
		await answered(page);
		const fits = () => page.evaluate(() => [...document.querySelectorAll('html, header > *, #composer *, .foot > *, #settings *')].filter((node) =>
			Math.max(node === document.documentElement ? node.scrollWidth : 0, node.getBoundingClientRect().right) > 360).map((node) => `${node.tagName} ${node.id} ${node.getBoundingClientRect().right}`));
		assert.deepEqual(await fits(), []);
		assert.ok(await page.evaluate(() => document.getElementById('side').inert));
		await page.tap('#open-side');
		assert.ok(await page.isVisible('#new'));
		assert.equal(await page.evaluate(() => document.activeElement.id), 'close-side');
		await page.keyboard.press('Escape');
		assert.ok(!(await page.isVisible('#new')));
		await page.tap('#open-side');
		await page.tap('#list a');
		await page.waitForSelector('#new', { state: 'hidden' });
		await page.tap('#show-settings');
		assert.deepEqual(await fits(), []);
		assert.ok(await page.isVisible('#settings'));
	});
	await sees('on a phone Enter begins a line', 'phone', async (page) => {
		await page.fill('#text', 'a');
		await page.press('#text', 'Enter');
		assert.equal(await page.inputValue('#text'), 'a\n');
	});
	await holds('nothing moves for those who want it so', async () => {
		const context = await browser.newContext({ reducedMotion: 'reduce' }), page = await context.newPage();
		fake.answers = [(body, reply) => beginStream(reply)];
		await page.goto(fake.address);
		await say(page, 'Wait');
		await page.waitForSelector('.waiting');
		assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
		await context.close();
	});
}

// The rules of axe-core in the page as it is.
async function accessible(page, state) {
	await page.evaluate(axe);
	const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
	const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
	assert.deepEqual(grave.map(({ id, nodes }) => `${state}: ${id}: ${nodes.map((node) => node.html).join(' ')}`), []);
}

async function testAccess() {
	for (const size of Object.keys(SIZES)) {
		await sees(`axe-core finds nothing serious: ${size}`, size, async (page) => {
			await accessible(page, 'empty');
			await page.setInputFiles('#files', { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('A') });
			fake.answers = [streamText(SAMPLE, { thought: 'Let me see' })];
			await talk(page, 'A question');
			await page.click('.thought summary');
			await press(page, 'Retry');
			await page.waitForFunction(() => document.querySelector('.versions'));
			await accessible(page, 'answered');
			await press(page, 'Edit', 0);
			await accessible(page, 'editing');
			await page.keyboard.press('Escape');
			await page.click('#show-settings');
			await accessible(page, 'settings');
			await page.keyboard.press('Escape');
			await page.click('#show-more');
			await accessible(page, 'menu');
			await page.click('#delete');
			await accessible(page, 'question');
			await page.keyboard.press('Escape');
			if (size === 'phone') {
				await page.tap('#open-side');
				await accessible(page, 'side');
				await page.keyboard.press('Escape');
			}
			fake.answers = [refuse(400, 'no')];
			await page.fill('#text', 'x');
			await page.click('#send');
			await page.waitForSelector('.problem');
			await accessible(page, 'error');
		}, /400/);
	}
}

export async function testInBrowser(build, modules, executablePath, more) {
	const require = createRequire(`${modules}/`);
	const source = new URL('../../runtime/serve/page/page.c', import.meta.url);
	axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
	fake = await startFake(`${build}/page`, pageHeaders(readFileSync(source, 'utf8')));
	// As root Chromium wants to be told that it has no sandbox; a container may have little /dev/shm.
	browser = await require('playwright-core').chromium.launch({ executablePath, args: ['--disable-dev-shm-usage', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])] });
	try {
		for (const test of [testConversation, testReasoning, testHostile, testServer, testDocuments, testKeeping, testUse, testAccess]) await test();
		await more(browser);
	} finally {
		await browser.close();
		await fake.close();
	}
}
