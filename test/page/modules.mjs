// modules.mjs - the page's modules alone: Markdown, conversations, event streams

import { assert, holds } from './statements.mjs';
import { parseMarkdown, safeAddress } from '../../runtime/serve/page/markdown.js';
import * as talk from '../../runtime/serve/page/conversation.js';
import { eventReader, retryAfter } from '../../runtime/serve/page/stream.js';

// Trees as short text: tag(kids), and attributes that matter.
const write = (node) => (typeof node === 'string' ? node.replace(/\n/g, '/') :
	`${node.tag}${['href', 'start', 'class'].filter((name) => node.set[name] && !/^(?:code|bar|table)$/.test(node.set[name])).map((name) => `:${node.set[name]}`).join('')}(${node.kids.map(write).join('')})`);
// A code block is div(div(span(language)button(Copy))pre(code(text))).
const short = (trees) => trees.map(write).join(' ').replace(/div\(div\(span\((.*?)\)button\(Copy\)\)pre\(code\((.*?)\)\)\)/g, 'CODE $1[$2]').replace(/div\((table\(.*?\))\)(?= |$)/g, '$1');
const texts = (node) => (typeof node === 'string' ? node : node.kids.map(texts).join(''));

const MARKDOWN = [
	['a **b** *c* ***d*** `e` ~~f~~', 'p(a strong(b) em(c) strong(em(d)) code(e) del(f))'],
	['**a *b*** *c **d***', 'p(strong(a em(b)) em(c strong(d)))'],
	['2*3*4 and snake_case_x, _em_ and 5 * 3', 'p(2*3*4 and snake_case_x, em(em) and 5 * 3)'],
	['a\\*b\\* \\<', 'p(a*b* <)'],
	['`` a`b `` and ` x', 'p(code(a`b) and ` x)'],
	['`**not**` **`code`**', 'p(code(**not**) strong(code(code)))'],
	['one\ntwo  \nthree', 'p(one/two  /three)'],
	['# One\n### Three ###\n#no', 'h3(One) h5(Three) p(#no)'],
	['text\n---\n***', 'p(text) hr() hr()'],
	['- a\n- b\n  - c\n    1. d\n- e', 'ul(li(a)li(bul(li(col(li(d)))))li(e))'],
	['1. a\n\n   b\n2. c', 'ol(li(p(a)p(b))li(p(c)))'],
	['3) x\n4) y', 'ol:3(li(x)li(y))'],
	['1. a\n  - b\n2. c', 'ol(li(aul(li(b)))li(c))'],
	['- [ ] a\n- [x] b', 'ul(li(\u2610 a)li(\u2611 b))'],
	['text\n- a\n1. b', 'p(text) ul(li(a)) ol(li(b))'],
	['In\n1986. A year', 'p(In/1986. A year)'],
	['> a\n> - b\nlazy\n\nc', 'blockquote(p(a)ul(li(b/lazy))) p(c)'],
	['```js\nlet a = 1 < 2;\n\n  b\n```\nafter', 'CODE js[let a = 1 < 2;//  b] p(after)'],
	['````\n```\n````', 'CODE text[```]'],
	['~~~c++ extra\nx\n~~~', 'CODE c++[x]'],
	['    indented\n\n    more', 'CODE text[indented//more]'],
	['- a\n  ```py\n  x\n  ```\n- b', 'ul(li(aCODE py[x])li(b))'],
	['| a | b |\n|---|:-:|\n| 1 | `x|y` |\n| 2 |\n\nend', 'table(thead(tr(th(a)th:middle(b)))tbody(tr(td(1)td:middle(code(x|y)))tr(td(2)td:middle()))) p(end)'],
	['a | b\n-:|--\n1 | \\|<br>2', 'table(thead(tr(th:right(a)th(b)))tbody(tr(td:right(1)td(|br()2))))'],
	['a | b\nno table', 'p(a | b/no table)'],
	['[x](https://a.b/c_(d) "t") <https://e.f> https://g.h/i_j. (https://k.l)', 'p(a:https://a.b/c_(d)(x) a:https://e.f(https://e.f) a:https://g.h/i_j(https://g.h/i_j). (a:https://k.l(https://k.l)))'],
	['[**b** [n](https://a.b)](https://c.d)', 'p(a:https://c.d(strong(b) span(n)))'],
	['![picture](https://a.b/c.png) [m](mailto:a@b.c)', 'p(a:https://a.b/c.png(picture) a:mailto:a@b.c(m))'],
	['[1, 2] and [x] (y)', 'p([1, 2] and [x] (y))'],
	['[ and [x](https://a.b) [y', 'p([ and a:https://a.b(x) [y)'],
	// What is hostile stays text.
	['<script>alert(1)</script>', 'p(<script>alert(1)</script>)'],
	['<img src=x onerror=alert(1)>', 'p(<img src=x onerror=alert(1)>)'],
	['[x](javascript:alert(1)) [y](JAVASCRIPT:alert) [z](java\tscript:a) <javascript:alert(1)>', 'p([x](javascript:alert(1)) [y](JAVASCRIPT:alert) [z](java    script:a) <javascript:alert(1)>)'],
	['![x](data:text/html,1) [d](data:text/html,1) [v](vbscript:x) [r](/relative) [p](//a.b) [f](file:///etc)', 'p(![x](data:text/html,1) [d](data:text/html,1) [v](vbscript:x) [r](/relative) [p](//a.b) [f](file:///etc))'],
	['[x](https://a.b"onclick="y)', 'p([x](https://a.b"onclick="y))'],
];

const GROWING = [
	['a **b', 'p(a strong(b))'], ['a **', 'p(a )'], ['a *b*', 'p(a em(b))'], ['a **b*', 'p(a strong(b))'], ['`co', 'p(code(co))'], ['2*3 is', 'p(2*3 is)'],
	['-', ''], ['x\n- ', 'p(x)'], ['1.', ''], ['#', ''], ['```', ''], ['```p', 'CODE text[]'], ['```py\nx', 'CODE py[x]'], ['```py\nx\n``', 'CODE py[x]'],
	['```\n- ', 'CODE text[- ]'], ['| a', 'table(thead(tr(th(a)))tbody())'], ['| a | b |\n|--', 'table(thead(tr(th(a)th(b)))tbody())'], ['[a](ht', 'p(span(a))'],
];

const HOSTILE = {
	stars: '*a '.repeat(40000), pairs: '**a *b '.repeat(20000), brackets: '['.repeat(100000), links: '[a]('.repeat(30000), ticks: '`a``b```c'.repeat(15000),
	runs: Array.from({ length: 400 }, (_, i) => '`'.repeat(i + 1)).join(' a '), quotes: '>'.repeat(100000), items: '- '.repeat(50000), under: '_a_ '.repeat(30000),
	nested: Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}- x`).join('\n'), cells: `${'|a'.repeat(50000)}\n${'|-'.repeat(50000)}`, rows: 'a|\n'.repeat(30000),
	escapes: '\\'.repeat(100000), blanks: `- a${'\n'.repeat(100000)}b`, gaps: `- a${'\n'.repeat(50)}`.repeat(2000), tags: '<'.repeat(100000), addresses: 'http://'.repeat(20000),
	hashes: `# #${' '.repeat(50000)}x`, tildes: '~~a'.repeat(30000), spaces: `a${' '.repeat(100000)}b`, mixed: '*a`'.repeat(30000), pictures: '!['.repeat(50000),
	closed: '['.repeat(50000) + ']'.repeat(50000), inside: `- a${'\n'.repeat(100000)}  b`, delimiters: `a|b\n-${' '.repeat(100000)}x`,
	parentheses: `http://a${')'.repeat(1900)} `.repeat(50),
};

async function testMarkdown() {
	for (const [text, trees] of MARKDOWN) await holds(`Markdown: ${JSON.stringify(text)}`, () => assert.equal(short(parseMarkdown(text)), trees));
	for (const [text, trees] of GROWING) await holds(`Markdown that grows: ${JSON.stringify(text)}`, () => assert.equal(short(parseMarkdown(text, true)), trees));
	for (const [name, text] of Object.entries(HOSTILE)) {
		await holds(`Markdown of 100 kB that is hostile takes less than 2 s: ${name}`, () => {
			const start = Date.now();
			parseMarkdown(text);
			parseMarkdown(text, true);
			assert.ok(Date.now() - start < 2000, `${Date.now() - start} ms`);
		});
	}
	await holds('Markdown of random text loses no letter, and links only where it may', () => {
		const parts = ['*', '**', '_', '`', '```', '\n', '\n\n', '- ', '1. ', '> ', '# ', '|', '|-|', '[', '](', ')', 'https://a.b', 'javascript:x', '<', '>', '\\', '    ', 'w ', '~~', '!'];
		let seed = 1;
		const next = (n) => (seed = (seed * 48271) % 2147483647) % n;
		const links = (node) => (typeof node === 'string' ? [] : [...(node.set.href ? [node.set.href] : []), ...node.kids.flatMap(links)]);
		for (let i = 0; i < 20000; i++) {
			const text = Array.from({ length: 1 + next(14) }, () => parts[next(parts.length)] + (next(3) ? '' : 'w')).join('');
			for (const growing of [false, true]) {
				const trees = parseMarkdown(text, growing);
				for (const address of trees.flatMap(links)) assert.match(address, /^https:\/\/a\.b/, text);
				if (!/```|~~~|https/.test(text) && !(growing && text.includes(']('))) assert.equal(trees.map(texts).join('').replace(/[^w]/g, '').length >= text.replace(/[^w]/g, '').length, true, JSON.stringify(text));
			}
		}
	});
	await holds('an address is http, https or mailto, whatever it is written like', () => {
		for (const good of ['https://a.b', 'HTTP://a.b/c?d=e#f', 'mailto:a@b.c']) assert.equal(safeAddress(good), good);
		for (const bad of ['javascript:a', ' javascript:a', 'java\nscript:a', 'https:a', 'https:///a', '//a', 'data:a', 'https://a b', 'https://a\u0000', 'x', 'blob:https://a', 'view-source:https://a']) assert.equal(safeAddress(bad), null, bad);
	});
}

async function testConversations() {
	const make = () => {
		const c = talk.newConversation(1000), first = talk.addMessage(c, null, 'user', 'Hello\nthere'), answer = talk.addMessage(c, first, 'assistant', 'Hi');
		return { c, first, answer };
	};
	await holds('a conversation is named after its first line', () => assert.equal(make().c.title, 'Hello'));
	await holds('branches are kept side by side, and the newest below a version is shown', () => {
		const { c, first, answer } = make(), second = talk.addMessage(c, answer, 'user', 'More'), third = talk.addMessage(c, second, 'assistant', 'Yes');
		const other = talk.addMessage(c, first, 'assistant', 'Ho');
		assert.deepEqual(talk.pathOf(c).map((m) => m.text), ['Hello\nthere', 'Ho']);
		assert.deepEqual(talk.versionsOf(c, other), [answer, other]);
		talk.showVersion(c, answer);
		assert.equal(c.leaf, third.id);
	});
	await holds('documents stand in front of the message, by name', () =>
		assert.equal(talk.promptOf({ text: 'Sum up', documents: [{ name: 'a.txt', text: 'A' }, { name: 'b.txt', text: 'B' }] }), 'Document: a.txt\n\nA\n\nDocument: b.txt\n\nB\n\nSum up'));
	await holds('a request has the branch, the system prompt and what was chosen, no more', () => {
		const { c } = make();
		assert.deepEqual(talk.requestOf(c, talk.pathOf(c).slice(0, 1), 'm'), { model: 'm', messages: [{ role: 'user', content: 'Hello\nthere' }], stream: true, stream_options: { include_usage: true } });
		Object.assign(c, { system: 'Be brief', sampling: { temperature: 0, seed: 4294967295 } });
		const body = talk.requestOf(c, talk.pathOf(c), 'm', 1);
		assert.deepEqual(body.messages[0], { role: 'system', content: 'Be brief' });
		assert.equal(body.messages[2].prefix, true);
		assert.deepEqual([body.temperature, body.seed], [0, 0]);
	});
	await holds('reasoning goes with an answer, and alone where it is continued', () => {
		const { c, answer } = make(), last = (more) => talk.requestOf(c, talk.pathOf(c).concat(more), 'm').messages[1];
		answer.thought = 'Hm';
		assert.deepEqual(last([]), { role: 'assistant', content: 'Hi', reasoning_content: 'Hm', prefix: true });
		answer.text = '';
		assert.deepEqual(last([]), { role: 'assistant', content: [{ type: 'thinking', thinking: 'Hm', closed: false }], prefix: true });
		assert.deepEqual(last([{ role: 'user', text: 'x', documents: [] }]), { role: 'assistant', content: '', reasoning_content: 'Hm' });
		assert.deepEqual(talk.readFile(talk.writeFile([c])), [c]);
		const other = structuredClone(c);
		other.messages[1].thought = 'Hmm';
		assert.equal(talk.joinCopies(c, other).messages[1].thought, 'Hmm');
	});
	await holds('two copies are joined without loss, and the longer text is the later', () => {
		const { c, answer } = make(), other = structuredClone(c);
		talk.addMessage(c, answer, 'user', 'here');
		talk.addMessage(other, other.messages[1], 'user', 'there');
		other.messages[1].text = 'Hi, how are';
		other.changed = c.changed + 1;
		const joined = talk.joinCopies(c, other);
		assert.deepEqual(joined.messages.map((m) => m.text), ['Hello\nthere', 'Hi, how are', 'here', 'there']);
		assert.equal(joined.leaf, other.leaf);
		assert.equal(c.messages.length, 3);
		assert.deepEqual(talk.readConversation(joined), joined);
	});
	await holds('a file gives back what was written', () => {
		const { c } = make();
		Object.assign(c, { system: 's', sampling: { top_p: 0.5 } });
		assert.deepEqual(talk.readFile(talk.writeFile([c])), [c]);
	});
	const whole = () => JSON.parse(talk.writeFile([make().c]));
	const refused = {
		'no JSON': () => '{', 'another format': () => '{"conversations": []}', 'null': () => 'null',
		'no messages': (f) => { delete f.conversations[0].messages; }, 'a foreign role': (f) => { f.conversations[0].messages[0].role = 'root'; },
		'a text that is none': (f) => { f.conversations[0].messages[0].text = { length: 3 }; }, 'an id that is markup': (f) => { f.conversations[0].id = '"><b>'; },
		'a circle': (f) => { f.conversations[0].messages[0].parent = f.conversations[0].messages[1].id; }, 'the same id twice': (f) => { f.conversations[0].messages[1].id = f.conversations[0].messages[0].id; },
		'a document without text': (f) => { f.conversations[0].messages[0].documents = [{ name: 'x' }]; },
	};
	for (const [name, damage] of Object.entries(refused)) {
		await holds(`a file is refused: ${name}`, () => {
			const file = whole(), text = damage(file);
			assert.throws(() => talk.readFile(typeof text === 'string' ? text : JSON.stringify(file)), Error);
		});
	}
	await holds('unknown fields and settings out of range are left out of a file', () => {
		const file = whole();
		Object.assign(file.conversations[0], { evil: 1, sampling: { temperature: 99, seed: 'x', __proto__x: 1, min_p: 0.1 }, leaf: 'nowhere' });
		Object.assign(file.conversations[0].messages[0], { onclick: 'x', end: 'constructor' });
		const [c] = talk.readFile(JSON.stringify(file));
		assert.deepEqual(c.sampling, { min_p: 0.1 });
		assert.equal(c.leaf, c.messages[1].id);
		assert.ok(!('evil' in c) && !('onclick' in c.messages[0]) && !('end' in c.messages[0]));
	});
}

async function testStreams() {
	await holds('events are read in pieces of any length', () => {
		const stream = ': note\r\ndata: {"a":1}\r\n\r\nevent: x\ndata:one\ndata: two\n\nid: 3\n\ndata: \u00e9\r\rdata: cut';
		for (let size = 1; size <= stream.length; size++) {
			const events = [], read = eventReader((data) => events.push(data));
			for (let i = 0; i < stream.length; i += size) read(stream.slice(i, i + size));
			assert.deepEqual(events, ['{"a":1}', 'one\ntwo', '\u00e9'], `pieces of ${size}`);
		}
	});
	await holds('Retry-After is seconds or a date, and bounded', () => {
		const now = Date.parse('2026-01-01T00:00:00Z');
		assert.deepEqual([retryAfter('7'), retryAfter('0'), retryAfter('99999'), retryAfter(null), retryAfter('soon'), retryAfter('Thu, 01 Jan 2026 00:00:05 GMT', now)], [7, 1, 60, 2, 2, 5]);
	});
}

export async function testModules() {
	await testMarkdown();
	await testConversations();
	await testStreams();
}
