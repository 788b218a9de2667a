// element.js - elements of the document, made of text that is not trusted
//
// There is no markup anywhere: elements come from createElement, text goes into text nodes, and
// attributes are set one by one.

// set: attributes; a function is a listener, true an attribute without a value, and null, false and
// undefined are left out. kids: elements and texts.
export function element(tag, set, ...kids) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(set || {})) {
		if (typeof value === 'function') node.addEventListener(name, value);
		else if (value === true) node.setAttribute(name, '');
		else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
	}
	node.append(...kids.filter((kid) => kid !== null && kid !== undefined && kid !== false));
	return node;
}

export const find = (id) => document.getElementById(id);

export function button(label, set, listener) {
	return element('button', { type: 'button', ...set, click: listener }, label);
}

// Makes nodes of a tree of markdown.js: {tag, set, kids} or text.
function build(tree) {
	if (typeof tree === 'string') return document.createTextNode(tree);
	return element(tree.tag, tree.set, ...tree.kids.map(build));
}

// Changes the children of a node that were built of the trees `old` into those of `now`, and leaves
// alone what is equal: text that grows neither flickers nor loses the reader's selection.
export function patch(parent, old, now) {
	for (let i = 0; i < now.length; i++) {
		const was = old[i], is = now[i], node = parent.childNodes[i];
		if (was === undefined) parent.append(build(is));
		else if (was === is) continue;
		else if (typeof was === 'string' && typeof is === 'string') {
			if (is.startsWith(was)) node.appendData(is.slice(was.length));
			else node.data = is;
		}
		else if (was.tag !== undefined && was.tag === is.tag && JSON.stringify(was.set) === JSON.stringify(is.set)) patch(node, was.kids, is.kids);
		else node.replaceWith(build(is));
	}
	while (parent.childNodes.length > now.length) parent.lastChild.remove();
}

// Without a secure context (http from another machine) there is no navigator.clipboard.
export async function copyText(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		const focused = document.activeElement, area = element('textarea', { class: 'hidden', 'aria-hidden': 'true' });
		area.value = text;
		(document.querySelector('dialog[open]') || document.body).append(area);
		area.select();
		const copied = document.execCommand('copy');
		area.remove();
		focused?.focus();
		return copied;
	}
}

// Says on the button itself, and to screen readers by it, that its text has been copied.
export async function copyFrom(source, text) {
	const label = source.textContent;
	source.textContent = (await copyText(text)) ? 'Copied' : 'Not allowed';
	setTimeout(() => { source.textContent = label; }, 1500);
}
