// messages.js - the branch that is shown, message by message
//
// The list is made anew when the branch changes. An answer that comes is patched in place, once for
// each picture the screen shows, and read out by screen readers when it is whole.

import { button, copyFrom, element, find, patch } from './element.js';
import { parseMarkdown, textOf } from './markdown.js';
import { findMessage, pathOf, versionsOf } from './conversation.js';

const ENDINGS = {
	length: 'The answer reached the most tokens that it may have.',
	stopped: 'Stopped.',
	broken: 'The connection broke off here.',
	begun: 'The page was closed before the answer was whole.',
};

export function kilobytes(n) {
	return n < 1000 ? `${n} bytes` : `${(n / 1000).toLocaleString('en', { maximumFractionDigits: n < 10000 ? 1 : 0 })} kB`;
}

// What an answer cost, in words.
export function figuresOf({ tokens, seconds }) {
	const parts = [];
	if (tokens) parts.push(`${tokens.toLocaleString('en')} token${tokens === 1 ? '' : 's'}`);
	// The clock starts with the first of them.
	if (tokens > 1 && seconds > 0) parts.push(`${((tokens - 1) / seconds).toLocaleString('en', { maximumFractionDigits: (tokens - 1) / seconds < 20 ? 1 : 0 })} tokens/s`);
	return parts.join(' \u00b7 ');
}

export class Messages {
	// actions: retry(message), edit(message, text), resume(message), show(message), answer()
	constructor(actions) {
		this.actions = actions;
		this.log = find('log');
		this.list = find('messages');
		this.live = null;
		this.trees = new WeakMap(); // of elements that have a message's text
		this.frame = 0;
		this.log.addEventListener('scroll', () => this.showWhere(), { passive: true });
		this.log.addEventListener('click', (event) => {
			const code = event.target.closest('[data-do="copy-code"]');
			if (code) copyFrom(code, code.closest('.code').querySelector('code').textContent);
		});
		// The field below grows and shrinks; what was at the end stays there.
		let follow = true;
		this.log.addEventListener('scroll', () => { follow = this.atEnd; }, { passive: true });
		new ResizeObserver(() => { if (follow) this.toEnd(); }).observe(this.log);
		find('to-end').addEventListener('click', () => {
			this.toEnd();
			find('text').focus();
		});
	}

	get atEnd() {
		return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
	}

	toEnd() {
		this.log.scrollTop = this.log.scrollHeight;
		this.showWhere();
	}

	showWhere() {
		find('to-end').hidden = this.atEnd;
	}

	// running: the answer that comes to this conversation, or null; error: what went wrong, or ''
	show(c, running, error) {
		const path = pathOf(c), follow = this.atEnd;
		this.conversation = c;
		this.live = null;
		find('welcome').hidden = path.length > 0;
		this.log.setAttribute('aria-busy', String(Boolean(running)));
		// Messages that are there stay: the reader may have selected text in them.
		path.forEach((message, i) => {
			let item = this.list.children[i];
			if (item?.dataset.id !== message.id) {
				const made = this.article(message);
				if (item) item.replaceWith(made);
				else this.list.append(made);
				item = made;
			}
			this.refresh(item, message, path, running);
		});
		while (this.list.children.length > path.length) this.list.lastChild.remove();
		if (running && !running.message) this.list.append(element('li', { class: 'assistant waiting' }, element('h2', { class: 'hidden' }, 'Answer'), element('p', { class: 'faint' }, running.wait || 'Reading the prompt\u2026')));
		const last = path[path.length - 1];
		if (!running && (error || last?.role === 'user')) {
			this.list.append(element('li', { class: 'problem' }, element('p', error ? { role: 'alert' } : {}, error || 'There is no answer yet.'),
				button(error ? 'Try again' : 'Answer', {}, () => this.actions.answer())));
		}
		if (follow) this.toEnd();
		this.showWhere();
	}

	article(message) {
		const documents = message.documents.length && element('div', { class: 'documents' }, ...message.documents.map(documentOf));
		return element('li', { class: message.role, 'data-id': message.id }, element('h2', { class: 'hidden' }, message.role === 'user' ? 'You' : 'Answer'),
			documents || null, message.role === 'assistant' && thoughtOf(), element('div', { class: 'body', dir: 'auto' }));
	}

	// The text of a message, and what stands below it.
	refresh(item, message, path, running) {
		const body = item.querySelector('.body'), live = running?.message === message;
		body.hidden = !message.text;
		if (message.role !== 'user') this.draw(item, message, live);
		else if (body.textContent !== message.text) body.textContent = message.text;
		if (live) this.live = { message, item };
		item.classList.remove('editing');
		for (const part of item.querySelectorAll(':scope > .note, :scope > .foot, :scope > .editor')) part.remove();
		const note = !live && message.role === 'assistant' && (message.note || ENDINGS[message.end]);
		item.append(...(note ? [element('p', { class: 'note' }, note)] : []), this.foot(message, path, running, live));
	}

	// The reasoning stays folded or open as the reader has it; of its text only what is new is added.
	draw(item, message, growing) {
		const body = item.querySelector('.body'), fold = item.querySelector('.thought'), thought = message.thought || '';
		const [label, place] = fold.children, old = place.textContent, name = growing && !message.text ? 'Reasoning\u2026' : 'Reasoning';
		const trees = parseMarkdown(message.text, growing);
		fold.hidden = !thought;
		body.hidden = !message.text;
		if (label.textContent !== name) label.textContent = name;
		if (old && thought.startsWith(old)) place.firstChild.appendData(thought.slice(old.length));
		else place.textContent = thought;
		patch(body, this.trees.get(body) || [], trees);
		this.trees.set(body, trees);
	}

	foot(message, path, running, live) {
		const foot = element('div', { class: 'foot' }), versions = versionsOf(this.conversation, message), at = versions.indexOf(message);
		if (versions.length > 1) {
			const step = (by, label, sign) => button(sign, { class: 'quiet', 'data-do': label, 'aria-label': `${label} version`, disabled: !versions[at + by] || Boolean(running) }, () => this.turn(versions[at + by], label));
			foot.append(element('span', { class: 'versions' }, step(-1, 'Previous', '\u2039'), element('span', {}, element('span', { class: 'hidden' }, 'Version '), `${at + 1}/${versions.length}`), step(1, 'Next', '\u203a')));
		}
		if (live) return foot;
		foot.append(button('Copy', { class: 'quiet' }, (event) => copyFrom(event.currentTarget, message.text)));
		if (running) return foot;
		foot.append(button('Edit', { class: 'quiet' }, () => this.edit(message)));
		if (message.role === 'assistant') {
			foot.append(button('Retry', { class: 'quiet' }, () => this.actions.retry(message)));
			if (message === path[path.length - 1]) foot.append(button('Continue', { class: 'quiet' }, () => this.actions.resume(message)));
			const figures = figuresOf(message);
			if (figures) foot.append(element('span', { class: 'faint figures' }, figures));
		}
		return foot;
	}

	// Another version; the focus stays on the button of the same name.
	turn(message, label) {
		this.actions.show(message);
		const item = this.itemOf(message), same = item?.querySelector(`[data-do="${label}"]`);
		(same && !same.disabled ? same : item?.querySelector('.versions button:not(:disabled)'))?.focus();
	}

	itemOf(message) {
		return this.list.querySelector(`[data-id="${message.id}"]`);
	}

	edit(message) {
		const item = this.itemOf(message), answer = message.role === 'assistant';
		if (!item || item.querySelector('textarea')) return;
		const area = element('textarea', { 'aria-label': answer ? 'Edit the answer' : 'Edit the message', dir: 'auto' });
		const cancel = () => {
			item.classList.remove('editing');
			editor.remove();
			find('text').focus();
		};
		const save = () => {
			if (area.value.trim() || message.documents.length) this.actions.edit(findMessage(this.conversation, message.id) || message, area.value);
		};
		const editor = element('div', { class: 'editor' }, area, element('div', { class: 'row end' }, button('Cancel', {}, cancel), button(answer ? 'Save as a version' : 'Send', { class: 'main' }, save)));
		area.value = message.text;
		area.addEventListener('input', () => fit(area));
		area.addEventListener('keydown', (event) => {
			if (event.key === 'Escape') {
				event.stopPropagation();
				cancel();
			} else if (sends(event) && (!answer || event.ctrlKey || event.metaKey)) {
				event.preventDefault();
				save();
			}
		});
		item.classList.add('editing');
		item.append(editor);
		fit(area);
		area.focus({ preventScroll: true });
		editor.scrollIntoView({ block: 'center' });
	}

	// Why there is no answer yet.
	wait(text) {
		const place = this.list.querySelector('.waiting p');
		if (place) place.textContent = text || 'Reading the prompt\u2026';
	}

	// More of the answer has come.
	grow() {
		this.frame ||= requestAnimationFrame(() => {
			this.frame = 0;
			if (!this.live) return;
			const { message, item } = this.live, follow = this.atEnd;
			this.draw(item, message, true);
			if (follow) this.toEnd();
			else this.showWhere();
		});
	}
}

export const announce = (text) => { find('announce').textContent = text; };

export function announceAnswer(message) {
	announce(`Answer: ${textOf(parseMarkdown(message.text))} ${ENDINGS[message.end] || ''}`);
}

// Enter, unless it ends the composition of a character, or the keyboard is one on the screen.
export function sends(event) {
	return event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229 && !matchMedia('(pointer: coarse)').matches;
}

// As high as its text.
export function fit(area) {
	area.style.height = 'auto';
	area.style.height = `${area.scrollHeight + 2}px`;
}

const thoughtOf = () => element('details', { class: 'thought', hidden: true }, element('summary'), element('div', { dir: 'auto' }));

function documentOf({ name, text }) {
	return element('details', {}, element('summary', {}, name, element('span', { class: 'faint' }, ` ${kilobytes(text.length)}`)), element('pre', { tabindex: '0' }, text));
}
