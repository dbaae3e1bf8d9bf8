// Puts a strategy, the files that it imports and the SDK into a folder of their own, without types, and lets
// componentize-qjs make a component of that. Types are replaced by spaces, so lines in messages are those of the
// source.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PACKAGE = join(dirname(fileURLToPath(import.meta.url)), '..');
const SUPPORTED = ['ta-bot-sdk', 'ta-bot-sdk/indicators'];

/** Makes the component. Throws an Error that says what is in the way. */
export async function build(source, output) {
  const strategy = resolve(source);
  if (!existsSync(strategy)) throw new Error(`there is no file ${source}`);
  const folder = mkdtempSync(join(tmpdir(), 'ta-bot-sdk-'));
  try {
    const [entry, ...imported] = await stage(strategy, folder);
    [entry, ...imported].forEach(checkSyntax);
    await inspect(entry, folder, source);
    const component = join(folder, 'component.js');
    const from = `./${relative(folder, entry).split(sep).join('/')}`;
    writeFileSync(
      component,
      `import * as module from '${from}';\n` +
        `import { exportsOf } from './node_modules/ta-bot-sdk/src/component.js';\n` +
        `export const strategy = exportsOf(module);\n`,
    );
    componentize(strategy, component, folder, resolve(output));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copies the strategy and what it imports; returns the copies, that of the strategy first. */
async function stage(strategy, folder) {
  cpSync(join(PACKAGE, 'src'), join(folder, 'node_modules/ta-bot-sdk/src'), { recursive: true });
  cpSync(join(PACKAGE, 'package.json'), join(folder, 'node_modules/ta-bot-sdk/package.json'));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}\n');
  const root = dirname(strategy);
  const typescript = await need('typescript', strategy);
  const staged = new Map();
  const waiting = [strategy];
  while (waiting.length > 0) {
    const file = waiting.pop();
    if (staged.has(file)) continue;
    const place = relative(root, file);
    if (place.startsWith('..')) throw new Error(`${file} is imported from outside the strategy's folder ${root}`);
    const text = readFileSync(file, 'utf8');
    const copy = join(folder, 'strategy', place.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, file.endsWith('.ts') ? withoutTypes(text, file, await need('ts-blank-space', strategy)) : text);
    staged.set(file, copy);
    for (const { fileName } of typescript.preProcessFile(text, true, true).importedFiles) {
      const imported = importedFile(fileName, file);
      if (imported) waiting.push(imported);
    }
  }
  return [...staged.values()];
}

/** An error of the syntax has no stack, so its line is what Node.js prints when it checks the file. */
function checkSyntax(file) {
  const run = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
  if (run.status === 0) return;
  const line = /^.*:(\d+)$/m.exec(run.stderr)?.[1] ?? '?';
  const problem = /^SyntaxError: .*$/m.exec(run.stderr)?.[0] ?? run.stderr;
  throw new Error(`${basename(file)}, line ${line}: ${problem}`);
}

function withoutTypes(text, file, blankSpace) {
  const blank = blankSpace(text, (node) => {
    const begin = node.pos + text.slice(node.pos).search(/\S/);
    const line = text.slice(0, begin).split('\n').length;
    throw new Error(`${basename(file)}, line ${line}: this TypeScript can't be removed as a type (an enum, a namespace?)`);
  });
  // The files are next to each other as JavaScript.
  return blank.replace(/(from\s*['"]\.{1,2}\/[^'"]*)\.ts(['"])/g, '$1.js$2');
}

/** The file that is imported, or undefined for the SDK. */
function importedFile(name, file) {
  if (SUPPORTED.includes(name)) return undefined;
  if (!name.startsWith('.')) {
    throw new Error(
      `${basename(file)} imports ${name}: a component has ta-bot-sdk and the files beside the strategy, ` +
        'so bundle other packages into one of them first',
    );
  }
  const path = join(dirname(file), name);
  const found = [path, path.replace(/\.js$/, '.ts')].find((path) => existsSync(path));
  if (!found) throw new Error(`${basename(file)} imports ${name}, and there is no such file`);
  return found;
}

/** Imports the strategy natively first, so that a mistake is named with its line before the slow part begins. */
async function inspect(entry, folder, source) {
  // With the SDK beside it, since a strategy is one only to the SDK that made it.
  const sdk = (file) => import(pathToFileURL(join(folder, 'node_modules/ta-bot-sdk/src', file)).href);
  const { refusal, strategyOf } = await sdk('evaluation.js');
  const { told } = await sdk('mistakes.js');
  let refused;
  try {
    refused = refusal(strategyOf(await import(pathToFileURL(entry).href)), []);
  } catch (mistake) {
    throw new Error(`${source}: ${told(mistake)}`);
  }
  if (refused !== undefined) throw new Error(`${source}: the strategy refuses its own defaults: ${refused}`);
}

function componentize(strategy, component, folder, output) {
  const main = find('componentize-qjs', strategy);
  const program = join(dirname(main), 'bin/componentize-qjs');
  // Without WASI, a component has no imports that the host would refuse; a strategy has no use for promises; the
  // smaller of the two builds of QuickJS compiles faster.
  const options = ['--stub-wasi', '--sync', '--opt-size', '--module-root', folder];
  const world = ['--wit', join(PACKAGE, 'wit'), '--world', 'strategy-module'];
  const run = spawnSync(process.execPath, [program, ...world, '--js', component, ...options, '--output', output], {
    encoding: 'utf8',
    cwd: folder,
  });
  if (run.status !== 0) throw new Error(`componentize-qjs failed\n${run.stdout}${run.stderr}`);
}

/** A package of the author's project, of the folder that the command runs in, or of the SDK. */
async function need(name, strategy) {
  const module = await import(pathToFileURL(find(name, strategy)).href);
  return module.default;
}

function find(name, strategy) {
  for (const from of [strategy, join(process.cwd(), 'package.json'), fileURLToPath(import.meta.url)]) {
    try {
      return createRequire(from).resolve(name);
    } catch (mistake) {
      if (mistake.code !== 'MODULE_NOT_FOUND') throw mistake;
    }
  }
  throw new Error(`${name} is not installed: npm install --save-dev ${name}`);
}
