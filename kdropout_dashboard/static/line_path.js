/**
 * Returns the `d` of a line through the values, and of dots for values without
 * neighbours. If a pixel has several steps, it keeps their lowest and highest value.
 */
export function linePath(steps, values, x, y) {
  const places = thinned(steps, values, x);
  let line = "";
  let dots = "";
  let previous = -1;
  places.forEach((i, position) => {
    if (i < 0) {
      previous = -1;
      return;
    }
    const point = `${tenth(x(steps[i]))},${tenth(y(values[i]))}`;
    const next = places[position + 1] ?? -1;
    if (previous < 0 && next < 0) dots += `M${point}h0`;
    else line += (previous < 0 ? "M" : "L") + point;
    previous = i;
  });
  return { line, dots };
}

/** Returns the indices of the values to draw in order, with -1 for a gap. */
function thinned(steps, values, x) {
  const known = (i) => (values[i] ?? null) !== null;
  const places = [];
  let end = 0;
  for (let start = 0; start < steps.length; start = end) {
    const column = Math.round(x(steps[start]));
    let [low, high] = [-1, -1];
    const inside = (i) => i === start || Math.round(x(steps[i])) === column;
    for (end = start; end < steps.length && inside(end); end += 1) {
      if (!known(end)) continue;
      if (low < 0 || values[end] < values[low]) low = end;
      if (high < 0 || values[end] > values[high]) high = end;
    }
    if (!known(start)) places.push(-1);
    if (low >= 0) places.push(...new Set([Math.min(low, high), Math.max(low, high)]));
    if (!known(end - 1)) places.push(-1);
  }
  return withoutStraight(places, values);
}

/** Removes points inside of constant stretches, which schedules have many of. */
function withoutStraight(places, values) {
  return places.filter((i, position) => {
    const [before, after] = [places[position - 1] ?? -1, places[position + 1] ?? -1];
    if (i < 0 || before < 0 || after < 0) return true;
    return values[before] !== values[i] || values[i] !== values[after];
  });
}

function tenth(place) {
  return Math.round(place * 10) / 10;
}
