/**
 * The place that the reader points at, which charts share. A place is an object of
 * plain values, such as a step and the path of a layer, or null.
 */
export function createCursor() {
  const listeners = [];
  let place = null;
  const move = (next) => {
    if (same(place, next)) return;
    place = next;
    for (const listener of listeners) listener(place);
  };
  return {
    get place() {
      return place;
    },
    move,
    clear: () => move(null),
    listen: (listener) => listeners.push(listener),
  };
}

function same(one, other) {
  if (one === null || other === null) return one === other;
  return Object.keys(other).every((key) => one[key] === other[key]);
}
