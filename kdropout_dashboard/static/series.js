/** Returns the index of the first step that is not below `step`. */
function lowerBound(steps, step) {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the index of the step nearest to `step`, or -1 if there is none. */
export function nearestIndex(steps, step) {
  const above = lowerBound(steps, step);
  if (above === steps.length) return steps.length - 1;
  if (above === 0) return 0;
  return step - steps[above - 1] <= steps[above] - step ? above - 1 : above;
}

/**
 * Returns the index of the step nearest to `step`, or -1 beyond the ends, where a shorter
 * series has no values.
 */
export function indexAt(steps, step) {
  if (!steps.length) return -1;
  const [low, high] = stepDomain(steps);
  return step < low || step > high ? -1 : nearestIndex(steps, step);
}

/** Returns all steps of several lists, sorted. */
export function union(lists) {
  const different = [...new Set(lists)];
  if (different.length === 1) return different[0];
  return [...new Set(different.flat())].sort((one, other) => one - other);
}

/** Returns the part of the values whose steps lie in a domain. */
export function within(steps, values, [low, high]) {
  return values.filter((_, i) => steps[i] >= low && steps[i] <= high);
}

/** Returns the last value that is a number, or null. */
export function latest(values) {
  return values.findLast((value) => value !== null) ?? null;
}

/** Returns the smallest and largest number in lists of values, or null without any. */
export function extent(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of lists) {
    for (const value of values) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low > high ? null : [low, high];
}

/** Returns the domain of an axis: the steps, and half a step on both sides for cells. */
export function stepDomain(steps) {
  if (!steps.length) return [-0.5, 0.5];
  const [first, last] = [steps[0], steps.at(-1)];
  const half = steps.length > 1 ? (last - first) / (steps.length - 1) / 2 : 0.5;
  return [first - half, last + half];
}

/**
 * Returns the steps [start, end) of each pixel column from the left: those inside of it,
 * or the nearest one if there is none. The range is empty outside of the steps.
 */
export function columns(steps, x, width, ratio) {
  const [low, high] = stepDomain(steps);
  const starts = new Int32Array(width);
  const ends = new Int32Array(width);
  for (let column = 0; column < width; column += 1) {
    const left = x.invert(x.range[0] + column / ratio);
    const right = x.invert(x.range[0] + (column + 1) / ratio);
    const middle = (left + right) / 2;
    if (middle < low || middle > high || !steps.length) continue;
    starts[column] = lowerBound(steps, left);
    ends[column] = lowerBound(steps, right);
    if (starts[column] < ends[column]) continue;
    starts[column] = nearestIndex(steps, middle);
    ends[column] = starts[column] + 1;
  }
  return { starts, ends };
}

/** Returns the mean of values[start:end] without missing ones, or null. */
export function mean(values, start, end) {
  let sum = 0;
  let count = 0;
  for (let i = start; i < end; i += 1) {
    if (values[i] === null) continue;
    sum += values[i];
    count += 1;
  }
  return count ? sum / count : null;
}
