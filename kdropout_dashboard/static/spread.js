/**
 * Returns places for labels near `wanted`: in the same order from the top, `gap` apart,
 * between `low` and `high`. If there are too many labels, they crowd at the end.
 */
export function spread(wanted, gap, low, high) {
  const order = wanted.map((_, i) => i).sort((i, j) => wanted[i] - wanted[j] || i - j);
  const places = new Array(wanted.length);
  let free = low;
  for (const i of order) {
    places[i] = Math.max(wanted[i], free);
    free = places[i] + gap;
  }
  let limit = high;
  for (const i of order.reverse()) {
    if (places[i] <= limit) break;
    places[i] = limit;
    limit -= gap;
  }
  return places;
}
