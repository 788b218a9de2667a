// run.mjs - the page, in Chromium and module by module
//
// node run.mjs BUILD: BUILD/page has the page's files, BUILD/brise the program. PAGE_MODULES is the
// folder in which playwright-core and axe-core are installed (package.json here), CHROMIUM the
// browser. PAGE_TESTS chooses tests by a part of their statement.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { assert, holds, report, skip } from './statements.mjs';
import { testModules } from './modules.mjs';
import { testInBrowser } from './browser.mjs';
import { testWithServer } from './server.mjs';

const build = process.argv[2] || 'build';
await testModules();
await holds('the page is less than 60,000 bytes as served', () => {
	const bytes = ['index.html', 'page.css', 'page.js', 'icon.svg'].map((name) => gzipSync(readFileSync(`${build}/page/${name}`), { level: 9 }).length);
	assert.ok(bytes.reduce((a, b) => a + b) < 60000, bytes.join(' + '));
});
const chromium = process.env.CHROMIUM || process.env.PATH.split(':').map((folder) => `${folder}/chromium`).find(existsSync);
const withServer = (browser) => testWithServer(build, fileURLToPath(new URL('../models/breeze', import.meta.url)), browser);
const node = Number(process.versions.node.split('.')[0]);
if (node < 20) skip('the page in a browser', `playwright-core needs Node.js 20, this is ${process.version}`);
else if (!process.env.PAGE_MODULES) skip('the page in a browser', 'PAGE_MODULES is not set');
else await testInBrowser(build, process.env.PAGE_MODULES, chromium, withServer);
if (node < 20 || !process.env.PAGE_MODULES) await withServer(null);
process.exit(report());
