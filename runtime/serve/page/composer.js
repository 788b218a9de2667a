// composer.js - where a message is written, with the documents that go with it

import { button, element, find } from './element.js';
import { fit, kilobytes, sends } from './messages.js';
import { readSetting, writeSetting } from './store.js';

const MOST_DOCUMENT_BYTES = 1e6, MOST_DOCUMENTS = 20;

// The text of a file; an Error says why there is none.
export async function readDocument(file, most = MOST_DOCUMENT_BYTES) {
	if (file.size > most) throw new Error(`${file.name} has ${kilobytes(file.size)}, a document may have ${kilobytes(most)}`);
	const bytes = new Uint8Array(await file.arrayBuffer());
	const coding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
	let text;
	try {
		text = new TextDecoder(coding, { fatal: true }).decode(bytes);
	} catch {
		throw new Error(`${file.name} is no text in UTF-8`);
	}
	if (text.includes('\0')) throw new Error(`${file.name} is no text`);
	return { name: file.name.slice(0, 200), text: text.replace(/\r\n?/g, '\n').trimEnd() };
}

export class Composer {
	// actions: send(text, documents), stop(), editLast(), say(text)
	constructor(actions) {
		this.actions = actions;
		this.documents = [];
		this.text = find('text');
		this.text.addEventListener('input', () => {
			fit(this.text);
			writeSetting(this.draft, this.text.value || null, 'sessionStorage');
			this.update();
		});
		this.text.addEventListener('keydown', (event) => {
			if (sends(event)) {
				event.preventDefault();
				this.send();
			} else if (event.key === 'ArrowUp' && !this.text.value && !event.isComposing && actions.editLast()) event.preventDefault();
		});
		find('send').addEventListener('click', () => this.send());
		find('stop').addEventListener('click', () => actions.stop());
		find('attach').addEventListener('click', () => find('files').click());
		find('files').addEventListener('change', (event) => {
			this.add([...event.target.files]);
			event.target.value = '';
		});
		this.text.addEventListener('paste', (event) => {
			if (!event.clipboardData.files.length) return;
			event.preventDefault();
			this.add([...event.clipboardData.files]);
		});
		const holdsFiles = (event) => event.dataTransfer?.types.includes('Files') && !document.querySelector('dialog[open]');
		document.addEventListener('dragover', (event) => {
			if (!holdsFiles(event)) return;
			event.preventDefault();
			find('drop').hidden = false;
		});
		document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) find('drop').hidden = true; });
		document.addEventListener('drop', (event) => {
			find('drop').hidden = true;
			if (!holdsFiles(event)) return;
			event.preventDefault();
			this.add([...event.dataTransfer.files]);
		});
	}

	// The field of a conversation, with what was written there before.
	show(id, isRunning) {
		if (this.draft !== `draft ${id}`) {
			this.draft = `draft ${id}`;
			this.text.value = readSetting(this.draft, 'sessionStorage') || '';
			this.documents = [];
			this.drawChips();
			fit(this.text);
		}
		const focused = document.activeElement;
		this.isRunning = isRunning;
		find('send').hidden = isRunning;
		find('stop').hidden = !isRunning;
		if (focused === find('send') || focused === find('stop')) this.text.focus();
		this.update();
	}

	update() {
		find('send').disabled = !this.text.value.trim() && !this.documents.length;
	}

	send() {
		if (this.isRunning || (!this.text.value.trim() && !this.documents.length)) return;
		const text = this.text.value.trim(), documents = this.documents;
		this.text.value = '';
		this.documents = [];
		writeSetting(this.draft, null, 'sessionStorage');
		this.drawChips();
		fit(this.text);
		this.update();
		this.actions.send(text, documents);
	}

	async add(files) {
		const problems = [];
		for (const file of files) {
			try {
				if (this.documents.length >= MOST_DOCUMENTS) throw new Error(`a message may have ${MOST_DOCUMENTS} documents`);
				this.documents.push(await readDocument(file));
			} catch (error) {
				problems.push(error.message);
			}
		}
		this.drawChips();
		this.update();
		this.actions.say(problems.join('; '));
		this.text.focus();
	}

	drawChips() {
		find('chips').hidden = !this.documents.length;
		find('chips').replaceChildren(...this.documents.map((d) => element('li', {}, d.name, element('span', { class: 'faint' }, ` ${kilobytes(d.text.length)} `),
			button('\u00d7', { class: 'quiet', 'aria-label': `Remove ${d.name}` }, () => {
				this.documents = this.documents.filter((other) => other !== d);
				this.drawChips();
				this.update();
				this.text.focus();
			}))));
	}
}
