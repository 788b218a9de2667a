// store.js - conversations in the browser's IndexedDB
//
// Two tables: heads for the list, {id, title, changed, bytes}, and whole conversations. Both change
// in one transaction. What another tab has added to a conversation meanwhile is kept. A browser that
// allows no database, as some do in private windows, gets a table in memory, and `kept` is false.

import { bytesOf, joinCopies, readConversation } from './conversation.js';

export const MOST_BYTES = 256e6;

export class StoreError extends Error {}

const NAME = 'brise';
const asPromise = (request) => new Promise((done, fail) => {
	request.onsuccess = () => done(request.result);
	request.onerror = () => fail(request.error);
});

function inWords(error) {
	if (error instanceof StoreError) return error;
	const full = error?.name === 'QuotaExceededError' || error?.inner?.name === 'QuotaExceededError';
	return new StoreError(full ? 'the browser has no more room for conversations: delete some, or export them first' :
		`the browser cannot keep the conversation (${error?.message || error?.name || error})`);
}

export async function openStore(most = MOST_BYTES) {
	try {
		const request = indexedDB.open(NAME, 1);
		request.onupgradeneeded = () => {
			request.result.createObjectStore('heads', { keyPath: 'id' });
			request.result.createObjectStore('whole', { keyPath: 'id' });
		};
		const database = await asPromise(request);
		// Another tab wants to remove or renew the database.
		database.onversionchange = () => database.close();
		return new Store(database, most);
	} catch {
		return new MemoryStore();
	}
}

class Store {
	kept = true;

	constructor(database, most) {
		this.database = database;
		this.most = most;
		this.channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel(NAME) : null;
	}

	// Calls back with the id of a conversation that another tab has changed or removed.
	onChange(listener) {
		if (this.channel) this.channel.onmessage = (event) => listener(event.data);
	}

	// What work(heads, whole) gives, after all of it is in the database.
	async change(mode, work) {
		try {
			const transaction = this.database.transaction(['heads', 'whole'], mode);
			const end = new Promise((done, fail) => {
				transaction.oncomplete = done;
				transaction.onabort = () => fail(transaction.error || this.refused);
			});
			this.refused = null;
			const result = await Promise.race([work(transaction.objectStore('heads'), transaction.objectStore('whole'), transaction), end.then(() => undefined)]);
			await end;
			return result;
		} catch (error) {
			throw inWords(this.refused || error);
		}
	}

	async list() {
		const heads = await this.change('readonly', (table) => asPromise(table.getAll()));
		return heads.sort((a, b) => b.changed - a.changed);
	}

	async get(id) {
		const found = await this.change('readonly', (_, whole) => asPromise(whole.get(id)));
		return found ? readConversation(found) : null;
	}

	async getAll() {
		return (await this.change('readonly', (_, whole) => asPromise(whole.getAll()))).map(readConversation);
	}

	// The conversation as it is kept now, with what another tab added.
	async put(c) {
		const joined = await this.change('readwrite', async (heads, whole, transaction) => {
			const known = await asPromise(whole.get(c.id)), result = known ? joinCopies(c, known) : c, bytes = bytesOf(result);
			const others = (await asPromise(heads.getAll())).reduce((sum, head) => sum + (head.id === c.id ? 0 : head.bytes), 0);
			if (others + bytes > this.most) {
				this.refused = new StoreError(`conversations take more than ${Math.round(this.most / 1e6)} MB: delete some, or export them first`);
				transaction.abort();
				return null;
			}
			whole.put(result);
			heads.put({ id: c.id, title: result.title, changed: result.changed, bytes });
			return result;
		});
		this.channel?.postMessage(c.id);
		return joined;
	}

	async remove(id) {
		await this.change('readwrite', (heads, whole) => {
			heads.delete(id);
			whole.delete(id);
		});
		this.channel?.postMessage(id);
	}

	// Ids of conversations with a text in a message; one at a time is in memory.
	async search(text) {
		const wanted = text.toLowerCase(), found = [];
		await this.change('readonly', (_, whole) => new Promise((done, fail) => {
			const request = whole.openCursor();
			request.onerror = () => fail(request.error);
			request.onsuccess = () => {
				const cursor = request.result;
				if (!cursor) return done();
				if (cursor.value.messages.some((m) => m.text.toLowerCase().includes(wanted))) found.push(cursor.value.id);
				cursor.continue();
			};
		}));
		return found;
	}
}

class MemoryStore {
	kept = false;
	all = new Map();

	onChange() {}

	async list() {
		return [...this.all.values()].map(({ id, title, changed }) => ({ id, title, changed })).sort((a, b) => b.changed - a.changed);
	}

	async get(id) {
		return this.all.get(id) || null;
	}

	async getAll() {
		return [...this.all.values()];
	}

	async put(c) {
		this.all.set(c.id, c);
		return c;
	}

	async remove(id) {
		this.all.delete(id);
	}

	async search(text) {
		const wanted = text.toLowerCase();
		return [...this.all.values()].filter((c) => c.messages.some((m) => m.text.toLowerCase().includes(wanted))).map((c) => c.id);
	}
}

// Small things: the theme and the key. Storage may be forbidden.
export function readSetting(name, storage = 'localStorage') {
	try {
		return window[storage].getItem(`brise ${name}`);
	} catch {
		return null;
	}
}

export function writeSetting(name, value, storage = 'localStorage') {
	try {
		if (value === null) window[storage].removeItem(`brise ${name}`);
		else window[storage].setItem(`brise ${name}`, value);
	} catch { /* it holds until the page is closed */ }
}
