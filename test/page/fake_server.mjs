// fake_server.mjs - a server for the page's tests: the page's files, and answers as the test wants
//
// answers: functions (body, reply, request) that are called one for each request for an answer, the
// last one for all further ones. requests: the bodies that came.

import http from 'node:http';
import { readFileSync } from 'node:fs';

const TYPES = { html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', svg: 'image/svg+xml' };

// The headers that page.c gives.
export function pageHeaders(source) {
	const table = /page_headers\[\]\[2\] = \{([^;]*(?:;[^;]*?)*?)\n\};/.exec(source)[1];
	const strings = [...table.matchAll(/\{\s*"([^"]*)",((?:\s*"[^"]*")+)\s*\}/g)];
	return Object.fromEntries(strings.map(([, name, parts]) => [name, [...parts.matchAll(/"([^"]*)"/g)].map((part) => part[1]).join('')]));
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export function beginStream(reply) {
	reply.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
	return (delta, more = {}) => reply.write(`data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', model: 'fake', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`);
}

// Streams a text in pieces of a few characters; `ms` between them, `usage` and [DONE] at the end. thought: the reasoning before it.
export function streamText(text, { ms = 0, end = 'stop', size = 4, prompt = 20, thought = '' } = {}) {
	return async (body, reply) => {
		const cut = (whole, name) => (whole.match(new RegExp(`[^]{1,${size}}`, 'gu')) || []).map((part) => ({ [name]: part }));
		const write = beginStream(reply), pieces = [...cut(thought, 'reasoning_content'), ...cut(text, 'content')];
		write({ role: 'assistant', content: '' });
		for (const piece of pieces) {
			if (ms) await pause(ms);
			if (reply.destroyed) return;
			write(piece);
		}
		write({}, { choices: [{ index: 0, delta: {}, finish_reason: end }] });
		write({}, { choices: [], usage: { prompt_tokens: prompt, completion_tokens: pieces.length, total_tokens: prompt + pieces.length } });
		reply.end('data: [DONE]\n\n');
	};
}

export function refuse(status, message, headers = {}) {
	return (body, reply) => {
		reply.writeHead(status, { 'Content-Type': 'application/json', ...headers });
		reply.end(JSON.stringify({ error: { message, type: 'error' } }));
	};
}

export async function startFake(files, headers) {
	const fake = { answers: [streamText('Hello.')], requests: [], key: null, gone: 0, context: 4096 };
	const server = http.createServer((request, reply) => {
		const path = request.url.split('?')[0], name = path === '/' ? 'index.html' : path.slice(1);
		const json = (value) => {
			reply.writeHead(200, { 'Content-Type': 'application/json' });
			reply.end(JSON.stringify(value));
		};
		if (/^(?:index\.html|page\.(?:css|js)|icon\.svg)$/.test(name)) {
			reply.writeHead(200, { ...headers, 'Content-Type': TYPES[name.split('.')[1]] });
			reply.end(readFileSync(`${files}/${name}`));
		} else if (fake.key && request.headers.authorization !== `Bearer ${fake.key}`) refuse(401, 'a key is needed')(null, reply);
		else if (path === '/v1/models') json({ object: 'list', data: [{ id: 'breeze-chat.brise', object: 'model' }] });
		else if (path === '/props') json({ default_generation_settings: { n_ctx: fake.context, params: { temperature: 0.8, top_p: 0.95, min_p: 0.05 } }, window: fake.context ? 0 : 30 });
		else if (path === '/v1/chat/completions') {
			let text = '';
			request.on('data', (part) => { text += part; });
			request.on('end', () => {
				const body = JSON.parse(text);
				fake.requests.push(body);
				reply.on('close', () => { if (!reply.writableFinished) fake.gone++; });
				(fake.answers.length > 1 ? fake.answers.shift() : fake.answers[0])(body, reply, request);
			});
		} else refuse(404, 'not found')(null, reply);
	});
	fake.listen = (port = 0) => new Promise((done) => server.listen(port, '127.0.0.1', () => {
		fake.port = server.address().port;
		fake.address = `http://127.0.0.1:${fake.port}/`;
		done();
	}));
	fake.close = () => new Promise((done) => {
		server.close(done);
		server.closeAllConnections();
	});
	await fake.listen();
	return fake;
}
