/** Returns a linear map from a domain to a range, with its inverse. */
export function linear([low, high], [start, end]) {
  const factor = high === low ? 0 : (end - start) / (high - low);
  const scale = (value) => start + (value - low) * factor;
  scale.invert = (place) => (factor === 0 ? low : low + (place - start) / factor);
  scale.domain = [low, high];
  scale.range = [start, end];
  return scale;
}

/** Returns about `count` round numbers in the domain, at least `smallest` apart. */
export function ticks(domain, count, smallest = 0) {
  const [low, high] = [Math.min(...domain), Math.max(...domain)];
  if (!(high > low)) return [low];
  const step = Math.max(roundUp((high - low) / Math.max(count, 1)), smallest);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const found = [];
  // Division by the reciprocal keeps 0.3 from becoming 0.30000000000000004.
  for (let i = first; i <= last; i += 1) found.push(Number((i * step).toPrecision(12)));
  return found;
}

/** Widens a domain to round numbers. Its width is never 0. */
export function rounded([low, high], count = 5) {
  if (low === high) {
    const half = Math.abs(low) / 2 || 0.5;
    return rounded([low - half, high + half], count);
  }
  const step = roundUp((high - low) / count);
  const ends = [
    Math.floor(low / step + 1e-9) * step,
    Math.ceil(high / step - 1e-9) * step,
  ];
  return ends.map((end) => Number(end.toPrecision(12)));
}

/** The text for a missing number in a table. */
export const NONE = "\u2013";

/** Formats a number with four significant digits and without trailing zeros. */
export function format(value, missing = "none") {
  return (value ?? null) === null ? missing : String(Number(value.toPrecision(4)));
}

/** Returns the end of the axis of rates. It has few values, so that runs compare well. */
export function ceiling(highest) {
  return (
    [0.1, 0.2, 0.5, 1].find((end) => highest <= end + 1e-6) ?? rounded([0, highest])[1]
  );
}

function roundUp(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((digit) => digit * power >= rough * (1 - 1e-9)) * power;
}
