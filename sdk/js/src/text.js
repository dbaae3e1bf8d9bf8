// Numbers as text, the same in every SDK of TA Bot: languages round decimals differently.

const SIGNIFICANT_DIGITS = 7;

export function price(value) {
  number('value', value);
  if (!Number.isFinite(value)) return notFinite(value);
  const text = rounded(value, decimalsOf(Math.abs(value)));
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
}

/** How many decimals show the significant digits. */
function decimalsOf(size) {
  let decimals = SIGNIFICANT_DIGITS - 1;
  while (size >= 10 && decimals > 0) {
    size /= 10;
    decimals -= 1;
  }
  while (size < 1 && size > 0 && decimals < 20) {
    size *= 10;
    decimals += 1;
  }
  return decimals;
}

/**
 * The number with so many decimals, rounded to the nearest by its exact value, and to the even one of two: as C, Go,
 * Python and Rust do. `toFixed` takes the larger of two.
 */
function rounded(value, decimals) {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, value);
  const bits = bytes.getBigUint64(0);
  const stored = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = stored === 0 ? fraction : fraction | 0x10000000000000n;
  const exponent = (stored === 0 ? 1 : stored) - 1075;
  const scaled = mantissa * 10n ** BigInt(decimals);
  let units;
  if (exponent >= 0) {
    units = scaled << BigInt(exponent);
  } else {
    const unit = 1n << BigInt(-exponent);
    const rest = scaled % unit;
    units = scaled / unit;
    if (rest * 2n > unit || (rest * 2n === unit && units % 2n === 1n)) units += 1n;
  }
  const digits = units.toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const sign = bits >> 63n === 1n ? '-' : '';
  return decimals > 0 ? `${sign}${whole}.${digits.slice(digits.length - decimals)}` : `${sign}${whole}`;
}

export function fixed(value, decimals) {
  number('value', value);
  if (!Number.isInteger(decimals) || decimals < 0 || decimals > 8) {
    throw new RangeError(`decimals = ${decimals} must be a whole number from 0 to 8`);
  }
  if (!Number.isFinite(value)) return notFinite(value);
  const scale = 10 ** decimals;
  const scaled = Math.abs(value) * scale + 0.5;
  // Beyond 2^53 every number is whole, so decimals would say nothing.
  if (scaled >= 9007199254740992) return BigInt(Math.trunc(value)).toString();
  const units = Math.floor(scaled);
  const sign = value < 0 && units > 0 ? '-' : '';
  const whole = Math.floor(units / scale);
  const part = String(units % scale).padStart(decimals, '0');
  return decimals > 0 ? `${sign}${whole}.${part}` : `${sign}${whole}`;
}

function number(name, given) {
  if (typeof given !== 'number') throw new TypeError(`${name} = ${String(given)} must be a number`);
}

function notFinite(value) {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'inf' : '-inf';
}
