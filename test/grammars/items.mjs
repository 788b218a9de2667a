// items.mjs - schemas of arrays with contains and uniqueItems

function pick(random, list) {
	return list[Math.floor(random() * list.length)];
}

const small = { type: ['integer', 'null', 'boolean'], minimum: 0, maximum: 30 };

function drawContains(random, schema) {
	schema.contains = pick(random, [{ type: 'integer' }, { const: 7 }, { minimum: 5 }, { enum: [1, null, true] }, { not: { type: 'null' } }, true, false, { type: 'string' }]);
	if (random() < 0.4) schema.minContains = Math.floor(random() * 4);
	if (random() < 0.4) schema.maxContains = Math.floor(random() * 4);
}

function drawUnique(random, schema) {
	schema.uniqueItems = true;
	schema.items = pick(random, [{ enum: [1, 7, null, '7', [1]] }, { type: ['boolean', 'null'] }, { enum: [true, 1, 1.0, 'é'] }, { const: 7 }, { enum: [true, false, null], not: { const: false } }, { enum: [0, 1, 2, 3, 4, 5, 6, 7, null, '7'] }]);
	delete schema.prefixItems;
	if (random() < 0.3) schema.prefixItems = [{ enum: [7, 1] }, { type: 'null' }];
}

function draw(random) {
	const schema = { type: 'array', items: pick(random, [small, small, { enum: [1, 7, null] }]) };
	if (random() < 0.3) schema.prefixItems = [small, { type: 'null' }];
	if (random() < 0.2) schema.items = false;
	if (random() < 0.3) schema.minItems = Math.floor(random() * 4);
	if (random() < 0.4) schema.maxItems = 1 + Math.floor(random() * 5);
	if (random() < 0.35) drawUnique(random, schema);
	else drawContains(random, schema);
	if (!schema.uniqueItems && random() < 0.2) {
		schema.allOf = [{}];
		drawContains(random, schema.allOf[0]);
	}
	return schema;
}

// ajv (8.20) finds [] valid whatever stands beside prefixItems.
function drawInstance(random) {
	return Array.from({ length: 1 + Math.floor(random() * 5) }, () => pick(random, [1, 7, null, '7', true, false, 5, [1], 0]));
}

export const items = { draw, drawInstance, seed: 91, n: 200 };
