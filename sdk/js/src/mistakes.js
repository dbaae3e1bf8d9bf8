// What an error says to somebody who sees only the host's log: its name, its message, its place and its cause.

const SDK = /(^|[/\\])(ta-bot-sdk|sdk[/\\]js)[/\\]src[/\\]/;

export function told(mistake) {
  if (!(mistake instanceof Error)) return `${shown(mistake)} was thrown, which is no Error and so has no line`;
  const place = placeOf(mistake);
  const text = `${mistake.name}: ${mistake.message}${place ? ` (${place})` : ''}`;
  return mistake.cause === undefined ? text : `${text}, caused by ${told(mistake.cause)}`;
}

/** The innermost line of the author's code, or of the SDK if there is none. */
function placeOf(mistake) {
  const places = [];
  for (const line of String(mistake.stack ?? '').split('\n')) {
    const found = /^\s*at (?:(.*?) )?\(?((?:[a-z]+:\/\/)?[^()]*?):(\d+)(?::\d+)?\)?$/.exec(line);
    if (found && !found[2].startsWith('node:')) places.push(found);
  }
  const own = places.find(([, , file]) => !SDK.test(file)) ?? places[0];
  if (!own) return '';
  const [, caller, file, line] = own;
  const name = file.split(/[/\\]/).pop();
  return caller && caller !== '<anonymous>' ? `${name}, line ${line}, in ${caller}` : `${name}, line ${line}`;
}

function shown(value) {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
