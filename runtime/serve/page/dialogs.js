// dialogs.js - a question, the settings of a conversation, and the API key

import { element, find } from './element.js';
import { SAMPLING } from './conversation.js';

export function setUpDialogs() {
	for (const dialog of document.querySelectorAll('dialog')) {
		dialog.addEventListener('click', (event) => {
			if (event.target === dialog || event.target.closest('[data-close]')) dialog.close('');
		});
	}
	// The key is used up here: the button that gets the focus back must not be pressed by it.
	for (const [field, yes] of [['question-field', 'question-yes'], ['key', 'use-key']]) {
		find(field).addEventListener('keydown', (event) => {
			if (event.key !== 'Enter' || event.isComposing) return;
			event.preventDefault();
			find(yes).click();
		});
	}
	find('question-yes').addEventListener('click', () => find('question').close('yes'));
	find('use-key').addEventListener('click', () => find('keys').close('yes'));
}

// Opens a dialog; the promise is kept when it closes, with whether it was agreed to.
function openDialog(dialog) {
	dialog.returnValue = '';
	dialog.showModal();
	return new Promise((done) => dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true }));
}

// A question that is answered by yes or, with a field, by a text. null: no.
export async function askUser({ title, text = '', yes, field, danger = false }) {
	const dialog = find('question'), input = find('question-field');
	find('question-title').textContent = title;
	find('question-text').textContent = text;
	find('question-text').hidden = !text;
	find('question-yes').textContent = yes;
	find('question-yes').classList.toggle('danger', danger);
	input.hidden = field === undefined;
	input.value = field || '';
	const answer = openDialog(dialog);
	if (field !== undefined) input.select();
	return (await answer) ? input.value : null;
}

// {key, remember}, or null. An empty key is none.
export async function askForKey(why, key, remembered) {
	find('keys-why').textContent = why;
	find('key').value = key;
	find('remember').checked = remembered;
	return (await openDialog(find('keys'))) ? { key: find('key').value.trim(), remember: find('remember').checked } : null;
}

// Shows the settings of a conversation; what is valid holds at once.
export async function showSettings(c, defaults, facts, onChange) {
	const system = find('system');
	system.value = c.system;
	system.oninput = () => { c.system = system.value; };
	find('sampling').replaceChildren(...Object.entries(SAMPLING).map(([key, range]) => numberField(c, key, range, defaults[key])));
	find('facts').textContent = facts;
	await openDialog(find('settings'));
	onChange();
}

function numberField(c, key, { least, most, step, label, hint }, given) {
	const help = `help-${key}`, text = hint || `${least} to ${most.toLocaleString('en')}`;
	const note = element('small', { id: help, class: 'faint' }, text);
	const input = element('input', { type: 'number', id: `sampling-${key}`, min: least, max: most, step: step < 1 ? 'any' : 1, inputmode: 'decimal', placeholder: Number.isFinite(given) ? Number(given.toFixed(4)) : '', 'aria-describedby': help });
	input.value = c.sampling[key] ?? '';
	input.addEventListener('input', () => {
		const valid = input.validity.valid;
		input.setAttribute('aria-invalid', String(!valid));
		note.textContent = valid ? text : `a ${step < 1 ? '' : 'whole '}number from ${least} to ${most.toLocaleString('en')}; not used as it is`;
		if (valid && input.value !== '') c.sampling[key] = Number(input.value);
		else delete c.sampling[key];
	});
	return element('div', {}, element('label', { for: input.id }, label), input, note);
}
