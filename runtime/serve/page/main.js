// main.js - what the page does: opens conversations, sends messages, gets answers, keeps both

import { element, find } from './element.js';
import { absorb, addMessage, newConversation, pathOf, readFile, requestOf, showVersion, titleOf, versionsOf, writeFile } from './conversation.js';
import { openStore, readSetting, writeSetting } from './store.js';
import { ServerError, complete, getJson } from './stream.js';
import { askForKey, askUser, setUpDialogs, showSettings } from './dialogs.js';
import { Messages, announce, announceAnswer } from './messages.js';
import { Side } from './side.js';
import { Composer } from './composer.js';

const SAVE_SECONDS = 3;

// What an answer needs while it comes is in `running`, by the id of its conversation: {c, parent,
// message, controller, wait}. message is null before its first part.
const app = { store: null, c: newConversation(), heads: [], running: new Map(), errors: new Map(), removed: new Set(), key: '', server: null, model: '' };
let messages, side, composer;

const say = (text) => { find('notice').textContent = text; };
const sayError = (error) => say(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`);

function show() {
	const { c } = app, running = app.running.get(c.id) || null;
	find('title').textContent = c.title || 'New conversation';
	document.title = c.title ? `${c.title} \u2013 brise` : 'brise';
	messages.show(c, running, app.errors.get(c.id) || '');
	composer.show(c.messages.length ? c.id : 'new', Boolean(running));
	say('');
	for (const id of ['rename', 'export', 'delete']) find(id).disabled = !c.messages.length;
	showWindow();
	showSide();
}

const showSide = () => side.show(app.heads, app.c.id, (id) => app.running.has(id));

function showWindow() {
	const last = pathOf(app.c).reverse().find((m) => m.window), used = last?.window || 0, room = app.server?.window || 0;
	const number = (n) => n.toLocaleString('en');
	// A window rolls on over a text of any length; a context ends it.
	const text = !room ? `${number(used)} tokens` : app.server.rolls && used > room ? `the last ${number(room)} of ${number(used)} tokens` : `${number(used)} of ${number(room)} tokens`;
	find('window').replaceChildren(...(!used ? [] : !room ? [text] : [
		element('meter', { min: 0, max: room, value: Math.min(used, room), high: room * 0.9, 'aria-label': 'How full the window is' }),
		element('span', {}, ` ${text}`)]));
}

async function refreshList() {
	app.heads = await app.store.list().catch(() => app.heads);
	showSide();
}

async function save(c) {
	if (app.removed.has(c.id)) return;
	try {
		absorb(c, await app.store.put(c));
		await refreshList();
	} catch (error) {
		if (app.c === c) sayError(error);
	}
}

// Opens a conversation, or a new one. A conversation that is being answered is the running one.
async function open(id) {
	const found = id && (app.running.get(id)?.c || await app.store.get(id).catch((error) => void sayError(error)));
	app.c = found || newConversation();
	const hash = found ? `#c=${found.id}` : '';
	if (location.hash !== hash) history.pushState(null, '', hash || location.pathname + location.search);
	side.open(false);
	show();
	messages.toEnd();
	if (matchMedia('(pointer: fine)').matches) find('text').focus();
}

async function send(text, documents) {
	const { c } = app, path = pathOf(c);
	addMessage(c, path[path.length - 1] || null, 'user', text, { documents });
	history.replaceState(null, '', `#c=${c.id}`);
	await answer(c);
}

// Asks for an answer to the last message of the branch, or for more of it.
async function answer(c) {
	if (app.running.has(c.id)) return;
	const path = pathOf(c), last = path[path.length - 1], resumes = last.role === 'assistant';
	const run = { c, message: resumes ? last : null, controller: new AbortController(), wait: '' };
	const before = resumes ? last.seconds || 0 : 0, tokens = resumes ? last.tokens || 0 : 0;
	const version = c.messages.filter((m) => m.parent === last.id && m.role === 'assistant').length;
	const body = requestOf(c, path, app.model, version);
	app.running.set(c.id, run);
	app.errors.delete(c.id);
	if (resumes) Object.assign(last, { end: 'begun', note: undefined });
	if (app.c === c) {
		show();
		messages.toEnd();
		announce('Waiting for the answer');
	}
	save(c);
	let saved = Date.now();
	const onPart = (text, isThought) => {
		const isNew = !run.message, field = isThought ? 'thought' : 'text';
		run.message ||= addMessage(c, last, 'assistant', '', { end: 'begun' });
		run.message[field] = run.message[field] ? run.message[field] + text : text.trimStart();
		if (isNew && app.c === c) show();
		if (app.c === c) messages.grow();
		if (Date.now() - saved > SAVE_SECONDS * 1000) {
			saved = Date.now();
			save(c);
		}
	};
	const onWait = (why, seconds) => {
		run.wait = why ? `${why} Asking again in ${seconds} s.` : '';
		if (app.c !== c) return;
		messages.wait(run.wait);
		// Read out once, not each second.
		if (why && !run.wasTold) announce(why);
		run.wasTold = Boolean(why);
	};
	let result = null, error = null;
	try {
		result = await complete(body, { key: app.key, signal: run.controller.signal, onPart, onWait });
	} catch (caught) {
		error = caught;
		result = caught.result || null;
	}
	app.running.delete(c.id);
	c.changed = Date.now();
	if (run.message) {
		Object.assign(run.message, { end: error ? 'broken' : result.end, tokens: tokens + (result?.usage?.completion_tokens || result?.parts || 0), seconds: before + (result?.seconds || 0) });
		if (result?.usage) run.message.window = result.usage.total_tokens ?? result.usage.prompt_tokens + result.usage.completion_tokens;
		if (result?.model) run.message.model = result.model;
		if (!run.message.text && result?.end === 'stop') run.message.note = 'There is no answer, only reasoning.';
		if (error) run.message.note = `The server ended the answer: ${error.message}`;
	} else if (error) app.errors.set(c.id, error instanceof ServerError ? `The server refused: ${error.message}` : `The request failed: ${error.message}`);
	else if (result.end === 'stop' || result.end === 'length') app.errors.set(c.id, 'The answer is empty.');
	// Without a new answer, the versions that were there are shown again.
	if (!run.message && version) showVersion(c, last);
	if (app.c === c) {
		show();
		if (run.message) announceAnswer(run.message);
	}
	await save(c);
	if (!app.server) askServer();
	if (error?.status === 401 && await useKey(`The server wants a key: ${error.message}.`)) await answer(c);
}

const stop = () => app.running.get(app.c.id)?.controller.abort();

function editMessage(message, text) {
	const { c } = app, parent = c.messages.find((m) => m.id === message.parent) || null;
	if (message.role === 'user') {
		addMessage(c, parent, 'user', text.trim(), { documents: message.documents });
		answer(c);
	} else {
		addMessage(c, parent, 'assistant', text, { end: 'edited' });
		show();
		save(c);
	}
	find('text').focus();
}

function retry(message) {
	const { c } = app;
	c.leaf = message.parent;
	find('text').focus();
	answer(c);
}

async function useKey(why) {
	const given = await askForKey(why, app.key, Boolean(readSetting('key')));
	if (!given) return false;
	app.key = given.key;
	writeSetting('key', given.remember && given.key ? given.key : null);
	writeSetting('key', given.key || null, 'sessionStorage');
	askServer();
	return true;
}

// What the server says of itself. Quiet: what fails here is said when a message is sent.
async function askServer() {
	try {
		const models = await getJson('v1/models', app.key);
		app.model = String(models.data?.[0]?.id || '');
		find('model').textContent = app.model.replace(/^.*\//, '').replace(/\.brise$/, '');
		const props = await getJson('props', app.key);
		const context = props.default_generation_settings?.n_ctx || 0;
		app.server = { window: context || props.window || 0, rolls: !context, defaults: props.default_generation_settings?.params || {} };
		showWindow();
	} catch { /* asked again behind the next answer */ }
}

function download(name, conversations) {
	const address = URL.createObjectURL(new Blob([writeFile(conversations)], { type: 'application/json' }));
	const link = element('a', { href: address, download: name });
	link.click();
	setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function exportAll() {
	try {
		download(`brise-${new Date().toISOString().slice(0, 10)}.json`, await app.store.getAll());
	} catch (error) {
		sayError(error);
	}
}

async function importFile(file) {
	try {
		const conversations = readFile(await file.text());
		for (const c of conversations) await app.store.put(c);
		await refreshList();
		say(`${conversations.length} conversation${conversations.length === 1 ? '' : 's'} imported.`);
	} catch (error) {
		say(`${file.name} was not imported: ${error.message}.`);
	}
}

async function remove() {
	const { c } = app;
	find('more').hidePopover();
	if (await askUser({ title: 'Delete this conversation?', text: c.title, yes: 'Delete', danger: true }) === null) return;
	app.removed.add(c.id);
	app.running.get(c.id)?.controller.abort();
	await app.store.remove(c.id).catch(sayError);
	await refreshList();
	open(null);
}

async function rename() {
	const { c } = app;
	find('more').hidePopover();
	const title = await askUser({ title: 'Name of the conversation', yes: 'Rename', field: c.title });
	if (title === null || !title.trim()) return;
	Object.assign(c, { title: titleOf(title), named: true, changed: Date.now() });
	show();
	save(c);
}

// Another tab has changed or removed a conversation.
async function onChange(id) {
	await refreshList();
	if (id !== app.c.id || app.running.has(id)) return;
	const found = await app.store.get(id).catch(() => null);
	if (!found) app.c = newConversation();
	else absorb(app.c, found);
	if (!document.querySelector('.editing, dialog[open]')) show();
}

function setTheme(theme) {
	document.documentElement.dataset.theme = theme;
	find('theme').value = theme;
}

function onKey(event) {
	const control = event.ctrlKey || event.metaKey;
	if (document.querySelector('dialog[open]')) return;
	if (event.key === 'Escape' && app.running.has(app.c.id)) stop();
	else if (control && !event.shiftKey && event.key.toLowerCase() === 'k') {
		side.open(true);
		find('search').select();
	} else if (control && event.shiftKey && event.key.toLowerCase() === 'o') open(null);
	else if (control && event.key === '/') find('shortcuts').showModal();
	else return;
	event.preventDefault();
}

async function start() {
	setTheme(readSetting('theme') || '');
	setUpDialogs();
	messages = new Messages({ retry, edit: editMessage, answer: () => answer(app.c), resume: () => { find('text').focus(); answer(app.c); },
		show: (message) => { showVersion(app.c, message); app.c.changed = Date.now(); show(); save(app.c); } });
	side = new Side({ search: (text) => app.store.search(text), onOpen: open });
	composer = new Composer({ send, stop, say, editLast: () => {
		const last = pathOf(app.c).reverse().find((m) => m.role === 'user');
		if (last && !app.running.has(app.c.id)) messages.edit(last);
		return Boolean(last);
	} });
	const on = (id, listener, kind = 'click') => find(id).addEventListener(kind, listener);
	on('new', () => open(null));
	on('theme', () => { setTheme(find('theme').value); writeSetting('theme', find('theme').value || null); }, 'change');
	on('show-shortcuts', () => find('shortcuts').showModal());
	on('show-keys', () => useKey('A server that was started with --api-key wants one of its keys.'));
	on('show-settings', () => showSettings(app.c, app.server?.defaults || {}, factsOf(), () => {
		app.c.changed = Date.now();
		if (app.c.messages.length) save(app.c);
	}));
	on('rename', rename);
	on('delete', remove);
	on('export', () => { find('more').hidePopover(); download(`${app.c.title.replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 40) || 'conversation'}.json`, [app.c]); });
	on('export-all', exportAll);
	on('import', () => find('import-file').click());
	on('import-file', (event) => { if (event.target.files[0]) importFile(event.target.files[0]); event.target.value = ''; }, 'change');
	document.addEventListener('keydown', onKey);
	document.addEventListener('visibilitychange', () => {
		if (document.visibilityState === 'hidden') for (const { c } of app.running.values()) save(c);
	});
	window.addEventListener('popstate', () => openHash());
	app.key = readSetting('key', 'sessionStorage') || readSetting('key') || '';
	app.store = await openStore();
	app.store.onChange(onChange);
	await refreshList();
	await openHash();
	if (!app.store.kept) say('This browser keeps no data for this page: conversations are lost when it is closed.');
	askServer();
}

async function openHash() {
	await open(/^#c=([\w-]+)$/.exec(location.hash)?.[1] || null);
}

function factsOf() {
	const { model, server } = app;
	return model ? `Model: ${model}${server?.window ? `, ${server.window.toLocaleString('en')} tokens` : ''}` : '';
}

start();
