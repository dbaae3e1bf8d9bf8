// Parameters, declared once. The description for the host, the types and the checking of values come from that one
// declaration.

import { invalidParameters } from './faults.js';
import { knownOnly, suggestion } from './spelling.js';

/** One declared parameter. */
class Parameter {
  constructor(kind, byDefault, description, bounds, allowed) {
    knownOnly('the bounds of a parameter', bounds, allowed);
    if (typeof description !== 'string' || description.trim() === '') {
      throw new TypeError('the second argument of a parameter is its description: a sentence for an operator');
    }
    this.kind = kind;
    this.default = byDefault;
    this.description = description.trim().replace(/\s+/g, ' ');
    this.min = bounds.min;
    this.max = bounds.max;
    this.choices = bounds.choices ?? [];
  }
}

export const parameter = {
  boolean: (byDefault, description) => new Parameter('boolean', byDefault, description, {}, []),
  integer: (byDefault, description, bounds = {}) =>
    new Parameter('integer', byDefault, description, bounds, ['min', 'max']),
  number: (byDefault, description, bounds = {}) =>
    new Parameter('number', byDefault, description, bounds, ['min', 'max']),
  text: (byDefault, description, bounds = {}) => new Parameter('text', byDefault, description, bounds, ['choices']),
};

/** The parameters in order, with the names that the host knows. Throws a TypeError for a wrong declaration. */
export function declared(parameters) {
  return Object.entries(parameters).map(([key, entry]) => {
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (!(entry instanceof Parameter)) {
      throw new TypeError(`parameters.${key} must be made by parameter.boolean, .integer, .number or .text`);
    }
    if (!/^[a-z][a-z0-9_]*$/.test(name)) {
      throw new TypeError(`parameters.${key} must be of letters, digits and underscores, a small letter first`);
    }
    const made = { ...entry, key, name };
    const wrong = made.default === undefined ? undefined : problem(made, made.default);
    if (wrong) throw new TypeError(`the default of a parameter: ${wrong}`);
    return made;
  });
}

/** The values by their keys, with the defaults of the others. Throws a fault that names what is wrong. */
export function read(declaration, values) {
  const parameters = {};
  for (const entry of declaration) parameters[entry.key] = entry.default;
  const seen = new Set();
  for (const [name, value] of values) {
    const entry = declaration.find((entry) => entry.name === name);
    if (!entry) {
      const known = declaration.map((entry) => entry.name);
      throw invalidParameters(
        `${name} is no parameter of this strategy${suggestion(name, known)}: its parameters are ${known.join(', ') || 'none'}`,
      );
    }
    if (seen.has(name)) throw invalidParameters(`${name} is given twice`);
    seen.add(name);
    const wrong = problem(entry, value);
    if (wrong) throw invalidParameters(wrong);
    parameters[entry.key] = value;
  }
  return parameters;
}

function problem(entry, value) {
  const wanted = wantedInstead(entry, value);
  return wanted && `${entry.name} = ${shown(value)} must be ${wanted}`;
}

function wantedInstead({ kind, min, max, choices }, value) {
  if (kind === 'boolean') return typeof value === 'boolean' ? undefined : 'true or false';
  if (kind === 'text') {
    if (typeof value === 'string' && (choices.length === 0 || choices.includes(value))) return undefined;
    return choices.length === 0 ? 'a text' : `one of ${choices.join(', ')}`;
  }
  if (typeof value !== 'number') return kind === 'integer' ? 'an integer' : 'a number';
  if (kind === 'integer' && !Number.isInteger(value)) return 'an integer';
  if (kind === 'integer' && Math.abs(value + 0.5) > 2 ** 31) return 'an integer of 32 bits';
  if (Number.isFinite(value) && value >= (min ?? -Infinity) && value <= (max ?? Infinity)) return undefined;
  if (min === undefined && max === undefined) return 'finite';
  if (max === undefined) return `at least ${min}`;
  return min === undefined ? `at most ${max}` : `from ${min} to ${max}`;
}

function shown(value) {
  return typeof value === 'string' ? `"${value}"` : value === Infinity ? 'inf' : String(value);
}

export function inOrder(parameters, ...keys) {
  const set = keys.filter((key) => {
    if (!(key in parameters)) throw new TypeError(`${key} is no parameter${suggestion(key, Object.keys(parameters))}`);
    return parameters[key] !== undefined;
  });
  for (let index = 1; index < set.length; index++) {
    const [low, high] = [set[index - 1], set[index]];
    if (!(parameters[low] < parameters[high])) {
      return `${hostName(low)} = ${parameters[low]} must be below ${hostName(high)} = ${parameters[high]}`;
    }
  }
  return undefined;
}

function hostName(key) {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
