// markdown.js - what models write as a tree of elements
//
// parseMarkdown(text, growing) gives trees {tag, set, kids} and texts, for patch() of element.js.
// Markup inside the text is text. Addresses are http, https or mailto, and open elsewhere; pictures
// become links, as nothing is loaded.
//
// With `growing` the end of the text is still to come: what may yet become a list, a table or
// emphasis is shown as such from its first character on, so that nothing has to change its form.
//
// The text is hostile: depth is limited, and the time is proportional to the length for any text
// but nested emphasis and quotes, whose depth bounds the factor.

const MOST_DEPTH = 12;
const tree = (tag, set, ...kids) => ({ tag, set, kids });

const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})[ \t]*(.*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}>[ ]?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:( +)(.*))?$/;
// Spaces that two parts could take would be tried in all ways.
const DELIMITERS = /^ {0,3}\|?[ \t]*:?-+:?(?:[ \t]*\|[ \t]*:?-+:?)*(?:[ \t]*\|)?[ \t]*$/;
// The last line of a growing text, as long as it can become one of several things.
const UNDECIDED = /^\s*(?:[-*+_]{1,3}|\d{1,9}[.)]?|#{1,6}|>|`{1,3}|~{1,3})\s*$/;

export function parseMarkdown(text, growing = false) {
	let lines = text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n');
	if (growing && UNDECIDED.test(lines[lines.length - 1]) && !inFence(lines.slice(0, -1))) lines = lines.slice(0, -1);
	return parseBlocks(lines, growing, 0);
}

function inFence(lines) {
	let fence = null;
	for (const line of lines) {
		if (fence) fence = closes(line, fence) ? null : fence;
		else fence = FENCE.exec(line)?.[2] || null;
	}
	return fence !== null;
}

const indentOf = (line) => line.length - line.trimStart().length;
const isBlank = (line) => line.trim() === '';

function closes(line, fence) {
	const end = line.trim();
	return indentOf(line) < 4 && end.length >= fence.length && end === fence[0].repeat(end.length);
}

// Whether a line ends the paragraph in front of it.
function interrupts(line) {
	const item = ITEM.exec(line);
	return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) ||
		(item && item[1].length < 4 && item[4] && (!/^\d/.test(item[2]) || /^1[.)]/.test(item[2])));
}

// growing: the last of the lines is the end of the growing text
function parseBlocks(lines, growing, depth) {
	const blocks = [];
	let i = 0;
	while (i < lines.length) {
		const line = lines[i];
		if (isBlank(line)) { i++; continue; }
		let block;
		[block, i] = (depth < MOST_DEPTH && (parseFence(lines, i, growing) || parseHeading(lines, i, growing) || parseRule(lines, i) ||
			parseQuote(lines, i, growing, depth) || parseList(lines, i, growing, depth) || parseTable(lines, i, growing) ||
			parseIndented(lines, i))) || parseParagraph(lines, i, growing);
		blocks.push(block);
	}
	return blocks;
}

function codeBlock(language, text) {
	return tree('div', { class: 'code' },
		tree('div', { class: 'bar' }, tree('span', {}, language || 'text'),
			tree('button', { type: 'button', 'data-do': 'copy-code', 'aria-label': 'Copy this code' }, 'Copy')),
		tree('pre', { tabindex: '0' }, tree('code', {}, text)));
}

function parseFence(lines, i, growing) {
	const start = FENCE.exec(lines[i]);
	if (!start) return null;
	const [, indent, fence, info] = start, body = [];
	const language = growing && i === lines.length - 1 ? '' : (/^[\w+#.-]{1,24}/.exec(info) || [''])[0];
	for (i++; i < lines.length && !closes(lines[i], fence); i++)
		body.push(lines[i].slice(Math.min(indentOf(lines[i]), indent.length)));
	// The fence that closes comes character by character.
	if (growing && i >= lines.length && body.length && /^\s*[`~]{1,2}$/.test(body[body.length - 1])) body.pop();
	return [codeBlock(language, body.join('\n')), i + 1];
}

// The page has headings of its own, above those of a text.
function parseHeading(lines, i, growing) {
	const heading = HEADING.exec(lines[i]);
	if (!heading) return null;
	let text = (heading[2] || '').trimEnd(), end = text.length;
	while (text[end - 1] === '#') end--;
	if (end === 0 || /\s/.test(text[end - 1])) text = text.slice(0, end).trimEnd();
	return [tree('h' + Math.min(6, heading[1].length + 2), {}, ...parseInline(text, growing && i === lines.length - 1)), i + 1];
}

function parseRule(lines, i) {
	return RULE.test(lines[i]) ? [tree('hr', {}), i + 1] : null;
}

function parseQuote(lines, i, growing, depth) {
	if (!QUOTE.test(lines[i])) return null;
	const inner = [];
	for (; i < lines.length && !isBlank(lines[i]) && (QUOTE.test(lines[i]) || !interrupts(lines[i])); i++) inner.push(lines[i].replace(QUOTE, ''));
	return [tree('blockquote', {}, ...parseBlocks(inner, growing && i >= lines.length, depth + 1)), i];
}

// An item holds the lines that are indented more than its marker, by two columns at least: models do
// not count columns as CommonMark does.
function parseList(lines, i, growing, depth) {
	const first = ITEM.exec(lines[i]);
	if (!first || first[1].length > 3) return null;
	const kind = first[2].slice(-1), ordered = /^\d/.test(first[2]), items = [];
	let loose = false;
	for (;;) {
		const item = i < lines.length && !RULE.test(lines[i]) && ITEM.exec(lines[i]);
		if (!item || item[2].slice(-1) !== kind || item[1].length > first[1].length + 1) break;
		const from = item[1].length, text = from + item[2].length + Math.min((item[3] || ' ').length, 4);
		const inner = [item[4] || ''];
		for (i++; i < lines.length; i++) {
			const line = lines[i], indent = indentOf(line);
			if (isBlank(line)) {
				// Blank lines belong to it if more of it follows.
				let next = i;
				while (next < lines.length && isBlank(lines[next])) next++;
				if (next >= lines.length || indentOf(lines[next]) < from + 2) break;
				for (; i < next; i++) inner.push('');
				i--;
				loose = true;
			} else if (indent >= from + 2) inner.push(line.slice(Math.min(indent, text)));
			else if (isBlank(lines[i - 1]) || ITEM.test(line) || interrupts(line)) break;
			else inner.push(line.trimStart());
		}
		let next = i;
		while (next < lines.length && isBlank(lines[next])) next++;
		const follows = next < lines.length && !RULE.test(lines[next]) && ITEM.exec(lines[next]);
		const more = follows && follows[2].slice(-1) === kind && follows[1].length <= first[1].length + 1;
		if (more && next > i) loose = true;
		items.push([inner, !more && i >= lines.length]);
		if (more) i = next;
		else break;
	}
	const start = ordered && parseInt(first[2], 10) !== 1 ? { start: String(parseInt(first[2], 10)) } : {};
	return [tree(ordered ? 'ol' : 'ul', start, ...items.map(([inner, last]) => parseItem(inner, growing && last, loose, depth))), i];
}

function parseItem(lines, growing, loose, depth) {
	const task = /^\[([ xX])\] /.exec(lines[0]);
	if (task) lines = [(task[1] === ' ' ? '\u2610 ' : '\u2611 ') + lines[0].slice(4), ...lines.slice(1)];
	let blocks = parseBlocks(lines, growing, depth + 1);
	if (!loose) blocks = blocks.flatMap((block) => (block.tag === 'p' ? block.kids : [block]));
	return tree('li', {}, ...blocks);
}

// Cells of a row; a bar after a backslash or inside code is text.
function cellsOf(line) {
	const cells = [''];
	let code = false;
	const row = line.trim().replace(/^\|/, '');
	for (let i = 0; i < row.length; i++) {
		if (row[i] === '\\' && row[i + 1] === '|') cells[cells.length - 1] += row[++i];
		else if (row[i] === '|' && !code) cells.push('');
		else {
			if (row[i] === '`') code = !code && row.indexOf('`', i + 1) >= 0;
			cells[cells.length - 1] += row[i];
		}
	}
	if (cells.length > 1 && isBlank(cells[cells.length - 1])) cells.pop();
	return cells.map((cell) => cell.trim());
}

function parseTable(lines, i, growing) {
	if (!lines[i].includes('|')) return null;
	const head = cellsOf(lines[i]), below = lines[i + 1];
	const starts = growing && /^ {0,3}\|/.test(lines[i]) && (below === undefined || (i + 2 === lines.length && /^[ |:-]*$/.test(below)));
	const whole = below !== undefined && DELIMITERS.test(below) && cellsOf(below).length === head.length;
	if (!starts && !whole) return null;
	const sides = !whole ? [] : cellsOf(below).map((cell) =>
		(/^:-+:$/.test(cell) ? { class: 'middle' } : /-:$/.test(cell) ? { class: 'right' } : {}));
	const row = (tag, cells, last) => tree('tr', {}, ...head.map((_, column) =>
		tree(tag, tag === 'th' ? { scope: 'col', ...sides[column] } : { ...sides[column] }, ...parseInline(cells[column] || '', growing && last))));
	const rows = [];
	let end = Math.min(i + 2, lines.length);
	for (; whole && end < lines.length && !isBlank(lines[end]) && (lines[end].includes('|') || !interrupts(lines[end])); end++)
		rows.push(row('td', cellsOf(lines[end]), end === lines.length - 1));
	return [tree('div', { class: 'table', tabindex: '0', role: 'group', 'aria-label': 'Table' }, tree('table', {},
		tree('thead', {}, row('th', head, end === lines.length)), tree('tbody', {}, ...rows))), end];
}

function parseIndented(lines, i) {
	if (indentOf(lines[i]) < 4) return null;
	const body = [];
	for (; i < lines.length && (isBlank(lines[i]) || indentOf(lines[i]) >= 4); i++) body.push(lines[i].slice(4));
	while (isBlank(body[body.length - 1])) body.pop();
	return [codeBlock('', body.join('\n')), i];
}

function parseParagraph(lines, i, growing) {
	const body = [lines[i].trimStart()];
	for (i++; i < lines.length && !isBlank(lines[i]) && !interrupts(lines[i]) &&
		!(lines[i].includes('|') && lines[i + 1] !== undefined && DELIMITERS.test(lines[i + 1]) && lines[i + 1].includes('|')); i++) body.push(lines[i].trimStart());
	return [tree('p', {}, ...parseInline(body.join('\n').trimEnd(), growing && i >= lines.length)), i];
}

// An address that may be a link, as the browser will read it; null: none.
export function safeAddress(text) {
	const address = text.trim();
	return /^(?:https?:\/\/[^\s/]|mailto:[^\s])/i.test(address) && !/[\u0000-\u0020\u007f-\u009f"<>\\`]/.test(address) ? address : null;
}

function link(address, ...kids) {
	return tree('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow', title: address }, ...kids);
}

// Where each bracket is closed, but for those behind a backslash: place by place, in one walk.
function findClosing(text) {
	const open = [], closing = new Map();
	for (let i = 0; i < text.length; i++) {
		if (text[i] === '\\') i++;
		else if (text[i] === '[') open.push(i);
		else if (text[i] === ']' && open.length) closing.set(open.pop(), i);
	}
	return closing;
}

export function parseInline(text, growing = false, depth = 0) {
	const kids = [], known = { hopeless: new Set(), closing: null };
	let plain = '', i = 0;
	const put = (...nodes) => {
		kids.push(...(plain ? [plain] : []), ...nodes);
		plain = '';
	};
	while (i < text.length) {
		const found = depth < MOST_DEPTH && inlineAt(text, i, growing, depth, known);
		if (found) {
			if (typeof found[0] === 'string') plain += found[0];
			else put(found[0]);
			i = found[1];
		} else {
			const next = /[\\`*_~[!<h]/.exec(text.slice(i + 1, i + 257));
			const end = next ? i + 1 + next.index : Math.min(text.length, i + 257);
			plain += text.slice(i, end);
			i = end;
		}
	}
	put();
	return kids;
}

// What begins at a place of a text: the node, if any, and where it ends; null: plain text.
function inlineAt(text, i, growing, depth, known) {
	switch (text[i]) {
	case '\\':
		if (text[i + 1] === '\n') return [tree('br', {}), i + 2];
		return /[!-/:-@[-`{-~]/.test(text[i + 1] || '') ? [text[i + 1], i + 2] : null;
	case '`': return codeAt(text, i, growing, known);
	case '*': case '_': case '~': return emphasisAt(text, i, growing, depth, known);
	case '[': return linkAt(text, i, growing, depth, known);
	case '!': {
		const picture = text[i + 1] === '[' && linkAt(text, i + 1, growing, depth, known);
		return picture && [typeof picture[0] === 'string' ? `!${picture[0]}` : picture[0], picture[1]];
	}
	case '<': {
		const tag = /^<(?:br ?\/?>|([^\s<>]{1,2000})>)/i.exec(text.slice(i, i + 2002));
		if (!tag) return null;
		if (!tag[1]) return [tree('br', {}), i + tag[0].length];
		const address = safeAddress(tag[1]);
		return address && [link(address, tag[1]), i + tag[0].length];
	}
	case 'h': {
		if (/\w/.test(text[i - 1] || '')) return null;
		const bare = /^https?:\/\/[^\s<>"`*[\]{}|\\^]+/.exec(text.slice(i, i + 2000));
		if (!bare) return null;
		let address = bare[0].replace(/[.,;:!?'_~]+$/, '');
		let more = address.split(')').length - address.split('(').length;
		for (; more > 0 && address.endsWith(')'); more--) address = address.slice(0, -1).replace(/[.,;:!?]+$/, '');
		return safeAddress(address) && [link(address, address), i + address.length];
	}
	}
	return null;
}

const runAt = (text, i) => {
	let end = i;
	while (text[end] === text[i]) end++;
	return end - i;
};

// Where a run of exactly n backquotes begins, from a place on.
function findTicks(text, from, n) {
	for (let i = text.indexOf('`', from); i >= 0; i = text.indexOf('`', i)) {
		const run = runAt(text, i);
		if (run === n) return i;
		i += run;
	}
	return -1;
}

function codeAt(text, i, growing, known) {
	const n = runAt(text, i), key = '`' + n;
	const end = known.hopeless.has(key) ? -1 : findTicks(text, i + n, n);
	if (end < 0) {
		known.hopeless.add(key);
		return growing && n < 3 && i + n < text.length ? [tree('code', {}, text.slice(i + n).trim()), text.length] : ['`'.repeat(n), i + n];
	}
	const inner = text.slice(i + n, end).replace(/\n/g, ' ');
	return [tree('code', {}, inner.trim() && /^ .* $/.test(inner) ? inner.slice(1, -1) : inner), end + n];
}

const isWord = (c) => c !== undefined && /[\p{L}\p{N}]/u.test(c);
const isSpace = (c) => c === undefined || /\s/.test(c);

const EMPHASIS = { '*': 'em', '_': 'em', '**': 'strong', '__': 'strong', '~~': 'del' };

function emphasisAt(text, i, growing, depth, known) {
	const c = text[i], run = runAt(text, i), before = text[i - 1];
	if (run > 3 || (c === '~' && run !== 2)) return [c.repeat(run), i + run];
	if (isSpace(text[i + run]) || (c === '_' && isWord(before))) {
		// At the end of what has come, it may begin something.
		return growing && i + run === text.length && !isWord(before) ? ['', text.length] : [c.repeat(run), i + run];
	}
	if (c === '*' && run === 1 && isWord(before) && isWord(text[i + 1])) return [c, i + 1]; // a product
	const mark = c.repeat(run === 3 ? 2 : run);
	const end = known.hopeless.has(mark) ? -1 : findMark(text, i + mark.length, mark);
	if (end >= 0) return [tree(EMPHASIS[mark], {}, ...parseInline(text.slice(i + mark.length, end), false, depth + 1)), end + mark.length];
	known.hopeless.add(mark);
	if (growing && !isWord(before)) {
		const inner = text.slice(i + mark.length).replace(/[*_~]$/, '');
		return [tree(EMPHASIS[mark], {}, ...parseInline(inner, true, depth + 1)), text.length];
	}
	return run === 3 ? [c, i + 1] : [mark, i + mark.length];
}

// Where emphasis ends: behind a character that is no space, and not inside code.
function findMark(text, from, mark) {
	const c = mark[0];
	for (let i = from; i < text.length; i++) {
		if (text[i] === '\\') i++;
		else if (text[i] === '`') {
			const n = runAt(text, i), end = findTicks(text, i + n, n);
			i = (end < 0 ? i : end) + n - 1;
		} else if (text[i] === c) {
			const run = runAt(text, i), end = i + run - mark.length;
			const fits = run === mark.length || run === 3;
			if (fits && end > from - 1 && !isSpace(text[i - 1]) && (c !== '_' || !isWord(text[i + run]))) return end;
			i += run - 1;
		}
	}
	return -1;
}

// [text](address "title"), and ![text](address) of a picture.
function linkAt(text, i, growing, depth, known) {
	known.closing ??= findClosing(text);
	const close = known.closing.get(i);
	if (close === undefined || text[close + 1] !== '(') return null;
	const target = /^\(\s*<?([^\s<>]*?)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)$/.exec(balanced(text.slice(close + 1, close + 2002)));
	const inner = () => parseInline(text.slice(i + 1, close), false, depth + 1);
	if (!target) return growing && text.indexOf(')', close) < 0 ? [tree('span', {}, ...inner()), text.length] : null;
	const address = safeAddress(target[1]), end = close + 1 + target[0].length;
	// An address that may not be a link stays visible, as it was written.
	if (!address) return [text.slice(i, end), end];
	const kids = inner();
	return [link(address, ...(kids.length ? kids.map(withoutLinks) : [address])), end];
}

// The text up to the bracket that closes the first one.
function balanced(text) {
	let open = 0;
	for (let i = 0; i < text.length; i++) {
		if (text[i] === '(') open++;
		else if (text[i] === ')' && --open === 0) return text.slice(0, i + 1);
	}
	return '';
}

function withoutLinks(node) {
	if (typeof node === 'string') return node;
	return tree(node.tag === 'a' ? 'span' : node.tag, node.tag === 'a' ? {} : node.set, ...node.kids.map(withoutLinks));
}

// The text of trees, for screen readers.
export function textOf(nodes) {
	return nodes.map((node) => (typeof node === 'string' ? node : node.tag === 'button' ? '' : textOf(node.kids) + (/^(?:p|li|tr|h\d|div|br)$/.test(node.tag) ? '\n' : ''))).join('');
}
