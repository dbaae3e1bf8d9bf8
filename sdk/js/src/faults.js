// How an evaluation ends without an answer. Any other error becomes `failed`, with its name, message and line.

/** A fault of the interface: `tag` is its case, `val` what goes with it. */
export class Fault extends Error {
  constructor(tag, val, message = String(val)) {
    super(message);
    this.name = 'Fault';
    this.tag = tag;
    this.val = val;
  }
}

export function insufficientData(needed) {
  return new Fault('insufficient-data', needed, `${needed} candles are needed`);
}

export function invalidParameters(message) {
  return new Fault('invalid-parameters', message);
}

export function failed(message) {
  return new Fault('failed', message);
}
