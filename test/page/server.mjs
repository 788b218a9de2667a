// server.mjs - the page as brise serve gives it, and a conversation with a model

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { assert, holds, skip } from './statements.mjs';
import { pageHeaders } from './fake_server.mjs';

// Servers that run, which end with the test whatever ends that.
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// A server of its own, whose address is the first line it prints.
async function startServer(brise, model, ...options) {
	const child = spawn(brise, ['serve', model, '--port', '0', '--no-cache', ...options], { stdio: ['ignore', 'pipe', 'ignore'] });
	running.add(child);
	child.on('exit', () => running.delete(child));
	const address = await new Promise((done, fail) => {
		let text = '';
		child.stdout.on('data', (part) => {
			text += part;
			if (text.includes('\n')) done(text.split('\n')[0].trim());
		});
		child.on('exit', (status) => fail(new Error(`brise serve ended with ${status}`)));
	});
	return { address: `${address}/`, stop: () => new Promise((done) => { child.on('exit', done); child.kill('SIGTERM'); }) };
}

const get = (address, path, headers = {}, method = 'GET') => new Promise((done, fail) => {
	http.request(new URL(path, address), { method, headers }, (reply) => {
		const parts = [];
		reply.on('data', (part) => parts.push(part));
		reply.on('end', () => done({ status: reply.statusCode, headers: reply.headers, body: Buffer.concat(parts) }));
	}).on('error', fail).end();
});

async function testReplies(build, model) {
	const files = { '': 'index.html', 'page.css': 'page.css', 'page.js': 'page.js', 'icon.svg': 'icon.svg' };
	const wanted = pageHeaders(readFileSync(new URL('../../runtime/serve/page/page.c', import.meta.url), 'utf8'));
	const server = await startServer(`${build}/brise`, model), { address } = server;
	for (const [path, name] of Object.entries(files)) {
		const file = readFileSync(`${build}/page/${name}`);
		await holds(`GET /${path} is the file, with its headers`, async () => {
			const { status, headers, body } = await get(address, path);
			assert.equal(status, 200);
			for (const [field, value] of Object.entries(wanted)) assert.equal(headers[field.toLowerCase()], value);
			assert.deepEqual(body, file);
			assert.equal(headers['content-encoding'], undefined);
		});
		await holds(`GET /${path} is packed where that is understood`, async () => {
			const plain = await get(address, path), packed = await get(address, path, { 'Accept-Encoding': 'br, gzip;q=0.5' });
			assert.equal(packed.headers['content-encoding'], 'gzip');
			assert.deepEqual(gunzipSync(packed.body), file);
			assert.notEqual(packed.headers.etag, plain.headers.etag);
			for (const refusing of ['gzip;q=0', 'gzip;q=0.00, br', 'identity', 'xgzip, gzipx']) assert.equal((await get(address, path, { 'Accept-Encoding': refusing })).headers['content-encoding'], undefined, refusing);
		});
		await holds(`GET /${path} is not sent again when it is known`, async () => {
			const { etag } = (await get(address, path)).headers;
			assert.match(etag, /^"[0-9a-f]+-[0-9a-f]+"$/);
			for (const known of [etag, `"x", W/${etag}`, '*']) {
				const { status, body } = await get(address, path, { 'If-None-Match': known });
				assert.deepEqual([status, body.length], [304, 0], known);
			}
			for (const other of ['"x"', etag.slice(0, -2)]) assert.equal((await get(address, path, { 'If-None-Match': other })).status, 200, other);
		});
		await holds(`HEAD /${path} is the same without the body`, async () => {
			const { status, headers, body } = await get(address, path, {}, 'HEAD');
			assert.deepEqual([status, body.length, headers['content-length']], [200, 0, String(file.length)]);
		});
	}
	await server.stop();
	await holds('the page needs no key, what it asks for does', async () => {
		const closed = await startServer(`${build}/brise`, model, '--api-key', 'secret-of-the-test');
		assert.equal((await get(closed.address, '')).status, 200);
		assert.equal((await get(closed.address, 'v1/models')).status, 401);
		await closed.stop();
	});
	await holds('--no-page gives none', async () => {
		const bare = await startServer(`${build}/brise`, model, '--no-page');
		for (const path of ['', 'page.js']) assert.equal((await get(bare.address, path)).status, 404);
		await bare.stop();
	});
}

async function testTalk(build, model, browser) {
	await holds('a conversation with a model streams, stops, is continued, and is there after a reload', async () => {
		const server = await startServer(`${build}/brise`, model), context = await browser.newContext(), page = await context.newPage(), faults = [];
		page.on('console', (line) => { if (['error', 'warning'].includes(line.type())) faults.push(line.text()); });
		page.on('pageerror', (error) => faults.push(error.stack));
		page.on('request', (request) => { if (!request.url().startsWith(server.address)) faults.push(request.url()); });
		try {
			await page.goto(server.address);
			await page.waitForFunction(() => document.getElementById('model').textContent !== '');
			await page.click('#show-settings');
			await page.fill('#sampling-max_tokens', '12');
			await page.fill('#sampling-seed', '5');
			await page.getByRole('button', { name: 'Done' }).click();
			await page.fill('#text', 'Tell me about the wind.');
			await page.press('#text', 'Enter');
			await page.waitForSelector('.figures');
			assert.match(await page.innerText('.figures'), /^12 tokens · /);
			assert.match(await page.innerText('.note'), /most tokens/);
			assert.match(await page.innerText('#window'), /\d+( of [\d,]+)? tokens/);
			const first = await page.evaluate(() => document.querySelector('.assistant .body').textContent);
			await page.locator('#messages').getByRole('button', { name: 'Continue' }).click();
			await page.waitForFunction((text) => document.querySelector('.figures') && document.querySelector('.assistant .body').textContent.length > text.length, first);
			assert.ok((await page.evaluate(() => document.querySelector('.assistant .body').textContent)).startsWith(first.trimEnd()));
			await page.click('#show-settings');
			await page.fill('#sampling-max_tokens', '100000');
			await page.getByRole('button', { name: 'Done' }).click();
			await page.fill('#text', 'And a long story?');
			await page.press('#text', 'Enter');
			await page.waitForFunction(() => document.querySelectorAll('.assistant .body').length === 2);
			await page.keyboard.press('Escape');
			await page.waitForFunction(() => document.getElementById('stop').hidden);
			const texts = await page.locator('#messages .body').allInnerTexts();
			await new Promise((done) => setTimeout(done, 500));
			await page.reload();
			await page.waitForFunction(() => document.querySelectorAll('.assistant .body').length === 2);
			assert.deepEqual(await page.locator('#messages .body').allInnerTexts(), texts);
			assert.deepEqual(faults, []);
		} finally {
			await context.close();
			await server.stop();
		}
	});
}

// browser: null, none
export async function testWithServer(build, checkpoint, browser) {
	try {
		execFileSync(`${build}/brise`, ['serve', '--help'], { stdio: 'ignore' });
	} catch {
		return skip('the page of brise serve', `${build}/brise has no such command`);
	}
	const folder = mkdtempSync(`${tmpdir()}/brise-page-`), model = `${folder}/model.brise`;
	try {
		execFileSync(`${build}/brise`, ['convert', checkpoint, model, '--chat-format', 'v1'], { stdio: 'ignore' });
		await testReplies(build, model);
		if (browser) await testTalk(build, model, browser);
	} finally {
		rmSync(folder, { recursive: true });
	}
}
