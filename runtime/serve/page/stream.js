// stream.js - answers of the server as they come, and what is done when they do not
//
// complete() asks /v1/chat/completions and hands over each part of the answer. Before the first one
// it is patient: a server that is gone, loads or is full is asked again, as its Retry-After says. An
// answer that has begun is not asked for again; one that breaks off is told as broken.

export class ServerError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

// Collects lines of an event stream (WHATWG HTML, 9.2) and hands over the data of each event.
export function eventReader(give) {
	let rest = '', data = [];
	return (text) => {
		rest += text;
		// A carriage return at the end may be half of a line's end.
		const whole = rest.endsWith('\r') ? rest.length - 1 : rest.length;
		const lines = rest.slice(0, whole).split(/\r\n|\n|\r/);
		rest = lines.pop() + rest.slice(whole);
		for (const line of lines) {
			if (line === '') {
				if (data.length) give(data.join('\n'));
				data = [];
			} else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
		}
	};
}

// Seconds to wait as a Retry-After says it: a number, or a date.
export function retryAfter(value, now = Date.now()) {
	const seconds = /^\d+$/.test(value || '') ? Number(value) : (Date.parse(value) - now) / 1000;
	return Number.isFinite(seconds) ? Math.min(60, Math.max(1, Math.ceil(seconds))) : 2;
}

// Addresses are relative: the page may be behind a proxy, below another path.
export function ask(path, key, options = {}) {
	const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
	return fetch(path, { ...options, headers, credentials: 'same-origin', cache: 'no-store' });
}

async function errorOf(reply) {
	let message = '';
	try {
		const text = await reply.text();
		const error = JSON.parse(text).error;
		message = typeof error === 'string' ? error : String(error?.message || '');
	} catch { /* a proxy's page, or nothing */ }
	return new ServerError(reply.status, message.slice(0, 500) || `the server answered with status ${reply.status}`);
}

export async function getJson(path, key, signal) {
	const reply = await ask(path, key, { signal });
	if (!reply.ok) throw await errorOf(reply);
	return reply.json();
}

const pause = (seconds, signal) => new Promise((done, fail) => {
	const stop = () => { clearTimeout(timer); fail(signal.reason); };
	const timer = setTimeout(() => { signal.removeEventListener('abort', stop); done(); }, seconds * 1000);
	if (signal.aborted) stop();
	else signal.addEventListener('abort', stop, { once: true });
});

// A reply that is no error, after waiting for it as long as it takes. onWait(why, seconds) each
// second; (null) when it is over.
async function patientReply(body, key, signal, onWait) {
	const text = JSON.stringify(body);
	for (let gone = 1; ; gone = Math.min(gone * 2, 16)) {
		let seconds = gone, why = 'The server does not answer.';
		try {
			const reply = await ask('v1/chat/completions', key, { method: 'POST', signal, body: text, headers: { 'Content-Type': 'application/json' } });
			if (reply.ok) return reply;
			const error = await errorOf(reply);
			if (![429, 502, 503, 504].includes(reply.status)) throw error;
			seconds = retryAfter(reply.headers.get('Retry-After'));
			why = reply.status === 502 || reply.status === 504 ? 'The server behind this address does not answer.' :
				`The server is busy: ${error.message.replace(/\.$/, '')}.`;
		} catch (error) {
			if (signal.aborted || error instanceof ServerError) throw error;
		}
		for (; seconds > 0; seconds--) {
			onWait(why, seconds);
			await pause(1, signal);
		}
		onWait(null);
	}
}

// Asks for an answer. onPart(text, isThought) gets each part of it or of its reasoning as it comes. Gives {end, usage, seconds, parts}:
// end is the finish_reason, or "stopped" or "broken"; seconds from the first part to the last.
export async function complete(body, { key, signal, onPart, onWait }) {
	const result = { end: 'broken', usage: null, seconds: 0, parts: 0, model: null };
	let first = 0, whole = false, reader = null;
	const read = eventReader((data) => {
		if (data === '[DONE]') { whole = true; return; }
		const event = JSON.parse(data), choice = event.choices?.[0];
		if (event.error) throw new ServerError(0, String(event.error.message || event.error).slice(0, 500));
		if (event.usage) result.usage = event.usage;
		if (typeof event.model === 'string') result.model = event.model.slice(0, 200);
		if (choice?.finish_reason) result.end = choice.finish_reason;
		for (const [text, isThought] of [[choice?.delta?.reasoning_content, true], [choice?.delta?.content, false]]) {
			if (typeof text !== 'string' || !text) continue;
			first ||= performance.now();
			result.seconds = (performance.now() - first) / 1000;
			result.parts++;
			onPart(text, isThought);
		}
	});
	try {
		const reply = await patientReply(body, key, signal, onWait);
		reader = reply.body.getReader();
		for (const decoder = new TextDecoder(); !whole;) {
			const { done, value } = await reader.read();
			if (done) break;
			read(decoder.decode(value, { stream: true }));
		}
		if (!whole && result.end === 'broken' && !result.parts) throw new ServerError(0, 'the connection ended before the answer began');
	} catch (error) {
		if (signal.aborted) result.end = 'stopped';
		else if (error instanceof ServerError) throw Object.assign(error, { result });
		else result.end = 'broken';
	} finally {
		reader?.cancel().catch(() => {});
	}
	return result;
}
