// What Node.js asks when it imports a file: TypeScript without its types.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The package that removes types, of the project that the command runs in. */
async function blankSpace() {
  const installed = createRequire(join(process.cwd(), 'package.json')).resolve('ts-blank-space');
  const module = await import(pathToFileURL(installed).href);
  return module.default;
}

/** A file of TypeScript as JavaScript; every other one as it is. */
export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const source = (await blankSpace())(readFileSync(fileURLToPath(url), 'utf8'));
  return { format: 'module', shortCircuit: true, source };
}
