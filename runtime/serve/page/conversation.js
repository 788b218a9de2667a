// conversation.js - a conversation is a tree of messages, of which one branch is shown
//
//	conversation  {id, title, named, created, changed, system, sampling, leaf, messages}
//	message       {id, parent, role, text, documents, at} and, of an answer,
//	              {thought, end, note, tokens, window, seconds, model}
//
// A message that is edited, and an answer that is drawn again, become siblings of what was there.
// Messages are added and never taken away, so that two copies of a conversation, in two tabs or in a
// file, are joined by taking the messages of both. `leaf` is the last message of the branch that is
// shown; its parents lead to the first one, whose parent is null.

export const SAMPLING = {
	temperature: { least: 0, most: 10, step: 0.05, label: 'Temperature', hint: '0: always the likeliest token' },
	top_p: { least: 0, most: 1, step: 0.01, label: 'Top p', hint: 'the likeliest tokens that make up this share' },
	min_p: { least: 0, most: 1, step: 0.01, label: 'Min p', hint: 'at least this share of the likeliest token\u2019s probability' },
	max_tokens: { least: 1, most: 1000000, step: 1, label: 'Most tokens of an answer' },
	seed: { least: 0, most: 4294967295, step: 1, label: 'Seed', hint: 'the same seed and messages give the same answer; a retry counts on from it' },
};
export const ROLES = ['user', 'assistant'];
const ENDS = ['stop', 'length', 'stopped', 'broken', 'edited', 'begun'];

export function newId() {
	return Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, '0')).join('');
}

export function newConversation(now = Date.now()) {
	return { id: newId(), title: '', named: false, created: now, changed: now, system: '', sampling: {}, leaf: null, messages: [] };
}

export function addMessage(c, parent, role, text, more = {}) {
	const message = { id: newId(), parent: parent ? parent.id : null, role, text, documents: [], at: Date.now(), ...more };
	c.messages.push(message);
	c.leaf = message.id;
	c.changed = message.at;
	if (!c.named && role === 'user' && !parent) c.title = titleOf(text || message.documents[0]?.name || '');
	return message;
}

export function titleOf(text) {
	const line = text.trim().split('\n')[0].trim();
	return line.length > 60 ? line.slice(0, 60).replace(/[\ud800-\udbff]$/, '').trimEnd() + '\u2026' : line;
}

export const findMessage = (c, id) => c.messages.find((m) => m.id === id) || null;

// The messages of the branch that ends with `leaf`, first to last.
export function pathOf(c, leaf = c.leaf) {
	const byId = new Map(c.messages.map((m) => [m.id, m])), path = [], seen = new Set();
	for (let m = byId.get(leaf); m && !seen.has(m.id); m = byId.get(m.parent)) {
		seen.add(m.id);
		path.push(m);
	}
	return path.reverse();
}

export const versionsOf = (c, message) => c.messages.filter((m) => m.parent === message.parent && m.role === message.role);

// Shows the branch that goes through a message, and from there on the newest one.
export function showVersion(c, message) {
	for (let next = message; next; next = c.messages.filter((m) => m.parent === message.id).pop()) message = next;
	c.leaf = message.id;
}

// What the model reads of an answer: its reasoning in front of it, and left open where it ended in it.
function answerOf({ text, thought }, resumes) {
	if (!thought) return { role: 'assistant', content: text };
	if (resumes && !text) return { role: 'assistant', content: [{ type: 'thinking', thinking: thought, closed: false }] };
	return { role: 'assistant', content: text, reasoning_content: thought };
}

// What the model reads of a message: documents plainly in front of the text.
export function promptOf(message) {
	return [...message.documents.map((d) => `Document: ${d.name}\n\n${d.text}`), message.text].filter(Boolean).join('\n\n');
}

// The body of a request that asks for the answer to the last message of a path, or for more of it
// if that is an answer. An answer's version counts on from the seed, so that another try differs.
export function requestOf(c, path, model, version = 0) {
	const messages = path.map((m, i) => (m.role === 'user' ? { role: m.role, content: promptOf(m) } : answerOf(m, i === path.length - 1)));
	if (path[path.length - 1].role === 'assistant') messages[messages.length - 1].prefix = true;
	if (c.system.trim()) messages.unshift({ role: 'system', content: c.system });
	const body = { model, messages, stream: true, stream_options: { include_usage: true }, ...c.sampling };
	if (body.seed !== undefined) body.seed = (body.seed + version) % (SAMPLING.seed.most + 1);
	return body;
}

const lengthOf = (m) => m.text.length + (m.thought || '').length;

// Takes over what another copy has and this one has not. Texts only grow, so the longer one is the
// later; the settings of the copy that was changed last hold.
export function absorb(c, other) {
	const known = new Map(c.messages.map((m) => [m.id, m]));
	for (const m of other.messages) {
		if (!known.has(m.id)) c.messages.push(m);
		else if (lengthOf(m) > lengthOf(known.get(m.id))) Object.assign(known.get(m.id), m);
	}
	if (other.changed > c.changed) {
		const { title, named, system, sampling, leaf, changed } = other;
		Object.assign(c, { title, named, system, sampling, leaf, changed });
	}
	return c;
}

export const joinCopies = (c, other) => absorb({ ...c, messages: c.messages.map((m) => ({ ...m })) }, other);

// How much of the browser's storage it takes, nearly.
export function bytesOf(c) {
	return c.messages.reduce((sum, m) => sum + 200 + 2 * lengthOf(m) + m.documents.reduce((n, d) => n + 2 * d.text.length, 0), 500 + 2 * c.system.length);
}

const isText = (value, most = Infinity) => typeof value === 'string' && value.length <= most;
const isCount = (value) => Number.isFinite(value) && value >= 0;
const isId = (value) => isText(value, 64) && /^[\w-]+$/.test(value);

// A conversation as a file or another tab has it, of known fields only; an Error says what is wrong.
export function readConversation(value) {
	const want = (holds, what) => { if (!holds) throw new Error(`not a conversation: ${what}`); };
	want(value && typeof value === 'object' && isId(value.id), 'no id');
	want(Array.isArray(value.messages) && value.messages.length <= 100000, 'no messages');
	const ids = new Set();
	const messages = value.messages.map((m) => {
		want(m && typeof m === 'object' && isId(m.id) && !ids.has(m.id), 'a message without an id of its own');
		want(m.parent === null || ids.has(m.parent), 'a message in front of the one it follows');
		want(ROLES.includes(m.role) && isText(m.text), 'a message without role and text');
		ids.add(m.id);
		const documents = Array.isArray(m.documents) ? m.documents.map((d) => {
			want(d && isText(d.name) && isText(d.text), 'a document without name and text');
			return { name: d.name, text: d.text };
		}) : [];
		const message = { id: m.id, parent: m.parent, role: m.role, text: m.text, documents, at: isCount(m.at) ? m.at : 0 };
		if (isText(m.thought) && m.thought) message.thought = m.thought;
		if (ENDS.includes(m.end)) message.end = m.end;
		for (const key of ['tokens', 'window', 'seconds']) if (isCount(m[key])) message[key] = m[key];
		for (const key of ['note', 'model']) if (isText(m[key], 1000)) message[key] = m[key];
		return message;
	});
	const sampling = {};
	for (const [key, { least, most }] of Object.entries(SAMPLING)) {
		const x = value.sampling?.[key];
		if (Number.isFinite(x) && x >= least && x <= most) sampling[key] = x;
	}
	return {
		id: value.id, title: isText(value.title) ? titleOf(value.title) : '', named: value.named === true,
		created: isCount(value.created) ? value.created : 0, changed: isCount(value.changed) ? value.changed : 0,
		system: isText(value.system) ? value.system : '', sampling,
		leaf: ids.has(value.leaf) ? value.leaf : messages[messages.length - 1]?.id || null, messages,
	};
}

export const FILE_FORMAT = 'brise conversations';

export function writeFile(conversations) {
	return JSON.stringify({ format: FILE_FORMAT, version: 1, conversations }, null, '\t');
}

export function readFile(text) {
	let value;
	try {
		value = JSON.parse(text);
	} catch {
		throw new Error('the file is not JSON');
	}
	if (value?.format !== FILE_FORMAT || !Array.isArray(value.conversations)) throw new Error(`the file has no "format": "${FILE_FORMAT}"`);
	return value.conversations.map(readConversation);
}
