// Finds what was probably meant by a name that is not known.

/** The text ` (did you mean stopLoss?)`, or nothing if no known name is close. */
export function suggestion(given, known) {
  if (typeof given !== 'string') return '';
  // The same letters in another case or with another separator are the usual mistake.
  let near = known.filter((name) => plain(name) === plain(given));
  if (near.length === 0) near = known.filter((name) => distance(plain(given), plain(name)) <= 2);
  return near.length === 1 && near[0] !== given ? ` (did you mean ${near[0]}?)` : '';
}

function plain(name) {
  return name.replace(/[_-]/g, '').toLowerCase();
}

/** How many letters have to be inserted, removed or replaced. */
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at++) {
    const next = [at];
    for (let place = 1; place <= other.length; place++) {
      const replaced = row[place - 1] + (one[at - 1] === other[place - 1] ? 0 : 1);
      next.push(Math.min(row[place] + 1, next[place - 1] + 1, replaced));
    }
    row = next;
  }
  return row[other.length];
}

/** Refuses names that are not among the known, with what they are names of. */
export function knownOnly(what, given, known) {
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) {
      throw new TypeError(`${name} is no field of ${what}${suggestion(name, known)}: the fields are ${known.join(', ')}`);
    }
  }
}
