// texts.mjs - the texts of a value, whose properties a grammar wants in some order
import { escape } from './checker.mjs';

const ORDERS_MAX = 3000;

function* permutations(list) {
	if (list.length < 2) yield list;
	else
		for (let i = 0; i < list.length; i++)
			for (const rest of permutations([...list.slice(0, i), ...list.slice(i + 1)])) yield [list[i], ...rest];
}

function* product(lists) {
	if (lists.length === 0) yield [];
	else
		for (const first of lists[0]()) for (const rest of product(lists.slice(1))) yield [first, ...rest];
}

// All texts of a value, with its properties in every order.
function* texts(value) {
	if (Array.isArray(value)) {
		for (const parts of product(value.map((v) => () => texts(v)))) yield `[${parts.join(',')}]`;
	} else if (value && typeof value === 'object') {
		for (const keys of permutations(Object.keys(value)))
			for (const parts of product(keys.map((k) => () => texts(value[k]))))
				yield `{${parts.map((part, i) => `${JSON.stringify(keys[i])}:${part}`).join(',')}}`;
	} else {
		yield JSON.stringify(value);
	}
}

// Whether some text of a value is taken; undefined: it has too many.
export async function takes(checker, value) {
	let n = 0;
	for (const text of texts(value)) {
		if (n++ === ORDERS_MAX) return undefined;
		if ((await checker.ask(`take ${escape(text)}`)) === 'valid') return true;
	}
	return false;
}
