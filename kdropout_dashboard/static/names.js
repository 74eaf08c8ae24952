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
 * Returns labels for paths, without the parts that all paths share at their ends. If a
 * label does not fit, its middle is removed, or what it shares with the others if they
 * would look the same.
 */
export function labels(paths, width, measure = textWidth) {
  const distinct = withoutCommon(paths);
  const short = distinct.map((path) => shorten(path, width, measure));
  if (new Set(short).size === new Set(distinct).size) return short;
  return withoutCommonCharacters(distinct).map((path) => shorten(path, width, measure));
}

/** Returns what `labels` removes from all paths, such as "encoder/\u2026/drop", or "". */
export function commonText(paths) {
  const short = withoutCommon(paths);
  if (!paths.length || short[0] === paths[0]) return "";
  const start = paths[0].indexOf(short[0]);
  const [head, tail] = [start, start + short[0].length];
  return paths[0].slice(0, head) + ELLIPSIS + paths[0].slice(tail);
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
  const [head, tail] = commonEnds(parts, 1);
  return parts.map((part) => part.slice(head, part.length - tail).join("/"));
}

/** Removes the characters that all texts share at both ends. */
function withoutCommonCharacters(texts) {
  const characters = texts.map((text) => [...text]);
  const [head, tail] = commonEnds(characters, 0);
  return characters.map((text) =>
    [
      head ? ELLIPSIS : "",
      ...text.slice(head, text.length - tail),
      tail ? ELLIPSIS : "",
    ].join(""),
  );
}

/** Returns how many items lists share at both ends, if each list keeps `least` items. */
function commonEnds(lists, least) {
  if (lists.length < 2) return [0, 0];
  const most = Math.min(...lists.map(({ length }) => length)) - least;
  const shared = (at) => lists.every((list) => list.at(at) === lists[0].at(at));
  let head = 0;
  while (head < most && shared(head)) head += 1;
  let tail = 0;
  while (head + tail < most && shared(-1 - tail)) tail += 1;
  return [head, tail];
}
