import { svg } from "./dom.js";
import { listenToKeys, moved } from "./keyboard.js";
import { createPlot, hide, show } from "./plot.js";

const REACH = 16;

/**
 * Creates a plot with a dot for each trial. The pointer and the arrow keys choose a
 * trial, and a ring marks the chosen one. `put` takes the dots that were drawn, each
 * with an `id`, `x` and `y`, in the order of the keys.
 */
export function createDotPlot(testid, cursor, radius = 6) {
  const plot = createPlot(testid);
  const ring = svg("circle", { class: "ring", r: radius });
  plot.overlay.append(ring);
  hide(ring);
  let dots = [];

  const point = (dot) => dot && cursor.move({ trial: dot.id });
  const position = () => dots.findIndex(({ id }) => id === cursor.place?.trial);
  plot.element.addEventListener("pointermove", (event) => {
    const dot = nearest(dots, ...plot.place(event));
    if (dot) point(dot);
    else cursor.clear();
  });
  plot.element.addEventListener("pointerleave", cursor.clear);
  listenToKeys(plot.element, {
    move(byColumn, byRow) {
      if (dots.length) point(dots[moved(position(), byColumn + byRow, dots.length)]);
    },
    jump: (toEnd) => point(dots.at(toEnd ? -1 : 0)),
    clear: cursor.clear,
  });

  function follow() {
    const dot = dots[position()];
    if (dot) show(ring, { cx: dot.x, cy: dot.y });
    else hide(ring);
  }

  return {
    ...plot,
    follow,
    put(drawn) {
      dots = drawn;
      follow();
    },
  };
}

/** Draws the dot of a trial, faintly if the filter leaves the trial out. */
export function trialDot({ x, y, kept }) {
  const name = kept ? "trial-dot" : "trial-dot out";
  return svg("circle", { class: name, cx: x, cy: y, r: 3 });
}

/** Returns the dot that is nearest to a point, or null if none is near it. */
function nearest(dots, left, top) {
  let [best, least] = [null, REACH];
  for (const dot of dots) {
    const distance = Math.hypot(dot.x - left, dot.y - top);
    if (distance < least) [best, least] = [dot, distance];
  }
  return best;
}
