const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const ELLIPSIS = "\u2026";
const context = document.createElement("canvas").getContext("2d");

/** Returns the width of a text in the small font of the charts, in pixels. */
export function textWidth(text) {
  context.font = FONT;
  return context.measureText(text).width;
}

/** Shortens a text to a width. It removes the middle, because layers differ at the end. */
export function shorten(text, width, measure = textWidth) {
  if (measure(text) <= width) return text;
  const characters = [...text];
  let low = 0;
  let high = characters.length - 1;
  while (low < high) {
    const kept = Math.ceil((low + high) / 2);
    if (measure(withoutMiddle(characters, kept)) <= width) low = kept;
    else high = kept - 1;
  }
  return withoutMiddle(characters, low);
}

/**
 * Returns labels for paths. If one does not fit, this first removes the parts that all
 * paths share at their ends, and then the middle.
 */
export function labels(paths, width, measure = textWidth) {
  const fits = paths.every((path) => measure(path) <= width);
  const distinct = fits ? paths : withoutCommon(paths);
  return distinct.map((path) => shorten(path, width, measure));
}

/** Shortens a text to a number of characters, for texts outside of the charts. */
export function shortenTo(text, count) {
  return shorten(text, count, (candidate) => [...candidate].length);
}

function withoutMiddle(characters, kept) {
  const head = Math.floor(kept / 2);
  const tail = characters.slice(characters.length - (kept - head));
  return [...characters.slice(0, head), ELLIPSIS, ...tail].join("");
}

/** Removes the parts that all paths share at both ends. */
function withoutCommon(paths) {
  const parts = paths.map((path) => path.split("/"));
  const most = Math.min(...parts.map(({ length }) => length)) - 1;
  const shared = (at) => parts.every((part) => part.at(at) === parts[0].at(at));
  if (parts.length < 2) return paths;
  let head = 0;
  while (head < most && shared(head)) head += 1;
  let tail = 0;
  while (head + tail < most && shared(-1 - tail)) tail += 1;
  return parts.map((part) => part.slice(head, part.length - tail).join("/"));
}
