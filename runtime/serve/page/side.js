// side.js - the list of conversations, and the search in it

import { element, find } from './element.js';

const DAY = 86400e3;

function ageOf(time) {
	const midnight = new Date().setHours(0, 0, 0, 0);
	if (time >= midnight) return 'Today';
	if (time >= midnight - DAY) return 'Yesterday';
	return time >= midnight - 7 * DAY ? 'Last seven days' : 'Before';
}

export class Side {
	// search(text) gives ids of conversations whose messages have the text
	constructor({ search, onOpen }) {
		this.heads = [];
		this.found = new Set();
		this.narrow = matchMedia('(max-width: 800px)');
		this.narrow.addEventListener('change', () => this.open(false));
		this.open(false);
		find('open-side').addEventListener('click', () => this.open(true));
		find('close-side').addEventListener('click', () => this.open(false));
		// Its parts are inert, a click on them is main's.
		find('main').addEventListener('click', (event) => { if (this.isOpen && event.target === find('main')) this.open(false); });
		find('side').addEventListener('keydown', (event) => {
			if (event.key === 'Escape' && this.isOpen) {
				event.stopPropagation();
				this.open(false);
			}
		});
		find('list').addEventListener('click', (event) => {
			const link = event.target.closest('a');
			if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
			event.preventDefault();
			onOpen(link.dataset.id);
		});
		let timer = 0;
		find('search').addEventListener('input', () => {
			this.found.clear();
			this.draw();
			clearTimeout(timer);
			const text = this.wanted;
			if (text) timer = setTimeout(async () => {
				const ids = await search(text).catch(() => []);
				if (text !== this.wanted) return;
				this.found = new Set(ids);
				this.draw();
			}, 150);
		});
	}

	get wanted() {
		return find('search').value.trim();
	}

	// On a narrow screen the list lies over the conversation, which takes part in nothing meanwhile.
	open(isOpen) {
		const was = this.isOpen;
		this.isOpen = isOpen && this.narrow.matches;
		document.body.classList.toggle('side-open', this.isOpen);
		find('side').inert = this.narrow.matches && !this.isOpen;
		find('main').querySelectorAll(':scope > *').forEach((part) => { part.inert = this.isOpen; });
		find('open-side').setAttribute('aria-expanded', String(this.isOpen));
		if (this.isOpen) find('close-side').focus();
		else if (was) find('open-side').focus();
	}

	show(heads, current, isRunning) {
		Object.assign(this, { heads, current, isRunning });
		this.draw();
	}

	draw() {
		const wanted = this.wanted.toLowerCase();
		const heads = this.heads.filter((head) => !wanted || head.title.toLowerCase().includes(wanted) || this.found.has(head.id));
		const items = [];
		let age = '';
		for (const head of heads) {
			if (!wanted && ageOf(head.changed) !== age) items.push(element('li', { class: 'faint age' }, age = ageOf(head.changed)));
			items.push(element('li', {}, element('a', { href: `#c=${head.id}`, 'data-id': head.id, dir: 'auto', 'aria-current': head.id === this.current && 'page' },
				element('span', {}, head.title || 'Untitled'), this.isRunning(head.id) && element('span', { class: 'faint' }, ' answering'))));
		}
		// A list that is redrawn would lose the focus.
		const focused = document.activeElement?.closest('#list a')?.dataset.id;
		find('list').replaceChildren(...items);
		if (focused) find('list').querySelector(`[data-id="${focused}"]`)?.focus();
		find('none').hidden = heads.length > 0;
		find('none').textContent = wanted ? 'Nothing found.' : 'No conversations yet.';
	}
}
