const REACH = 16;

/** Returns the dot that is nearest to a point, or null if none is near it. */
export function nearest(dots, left, top) {
  let [best, least] = [null, REACH];
  for (const dot of dots) {
    const distance = Math.hypot(dot.x - left, dot.y - top);
    if (distance < least) [best, least] = [dot, distance];
  }
  return best;
}
