// Writes lines to the host's log; natively to the standard error. The host limits their volume, and a line is made
// whether or not anyone reads it, so do not log on the usual path of a rule.

let write = (level, message) => console.error(`${level}: ${message}`);

/** Used by the component, which has the host's log. */
export function writeTo(sink) {
  write = sink;
}

export function debug(message) {
  write('debug', String(message));
}

export function info(message) {
  write('info', String(message));
}

export function warn(message) {
  write('warn', String(message));
}

export function error(message) {
  write('error', String(message));
}
