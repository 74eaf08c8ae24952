/** The name of the axis of the objective in a brush. */
export const SCORE = "score";

/**
 * Reads the parts of axes that the user has marked, texts such as "0.1:0.3:rate/drop", or
 * "0.1::rate/drop" without an upper end. Returns a dict from the name of the axis to its
 * ends.
 */
export function boundsOf(brush) {
  const bounds = new Map();
  for (const text of brush) {
    const [low, high, ...name] = text.split(":");
    const ends = [low ? Number(low) : -Infinity, high ? Number(high) : Infinity];
    if (!name.length || ends.some(Number.isNaN)) continue;
    bounds.set(name.join(":"), ends);
  }
  return bounds;
}

/** Returns the brush with other ends of one axis, or without them. */
export function withBounds(bounds, name, ends) {
  const next = new Map(bounds);
  if (ends)
    next.set(
      name,
      [...ends].sort((one, other) => one - other),
    );
  else next.delete(name);
  return [...next].map(([axis, known]) => [...known.map(text), axis].join(":"));
}

/** Returns true if a value lies between the ends, or if there are none. */
export function isInside(ends, value) {
  if (!ends) return true;
  return value !== null && value >= ends[0] && value <= ends[1];
}

/** Formats an end, which is empty if there is none. */
function text(end) {
  return Number.isFinite(end) ? String(Number(end.toPrecision(5))) : "";
}
