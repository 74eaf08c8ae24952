import { svg } from "./dom.js";
import { hide, show } from "./plot.js";

// Shorter movements are clicks.
const LEAST = 5;
const FACTOR = 2;

/**
 * Lets the user zoom a plot along its axis: by dragging, back by a double click, and by
 * the keys +, - and 0. `scaleOf` returns the scale of the axis, or null without one. The
 * new domain, or null for all, goes to `onZoom`.
 */
export function addZoom(plot, scaleOf, onZoom, middleOf = () => null) {
  const area = svg("rect", { class: "chosen-area" });
  plot.overlay.append(area);
  hide(area);
  let start = null;
  let hasMoved = false;

  const inside = (left) => {
    const [low, high] = scaleOf().range;
    return Math.min(Math.max(left, low), high);
  };
  const end = (event) => {
    if (start === null) return;
    const ends = [start, inside(plot.place(event)[0])].sort((a, b) => a - b);
    start = null;
    hide(area);
    if (hasMoved) onZoom(ends.map(scaleOf().invert));
  };
  plot.element.addEventListener("pointerdown", (event) => {
    hasMoved = false;
    if (event.button === 0 && scaleOf()) start = inside(plot.place(event)[0]);
  });
  plot.element.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const left = inside(plot.place(event)[0]);
    if (!hasMoved && Math.abs(left - start) < LEAST) return;
    // The page then receives the end of the movement outside of the plot.
    if (!hasMoved) plot.element.setPointerCapture(event.pointerId);
    hasMoved = true;
    show(area, {
      x: Math.min(start, left),
      y: 0,
      width: Math.abs(left - start),
      height: plot.element.clientHeight,
    });
  });
  plot.element.addEventListener("pointerup", end);
  plot.element.addEventListener("pointercancel", () => {
    start = null;
    hide(area);
  });
  // The click after a movement chooses nothing.
  plot.element.addEventListener(
    "click",
    (event) => {
      if (hasMoved) event.stopImmediatePropagation();
    },
    true,
  );
  plot.element.addEventListener("dblclick", () => onZoom(null));
  plot.element.addEventListener("keydown", ({ key }) => {
    if (!scaleOf()) return;
    if (key === "0") onZoom(null);
    const factor = { "+": 1 / FACTOR, "=": 1 / FACTOR, "-": FACTOR }[key];
    if (!factor) return;
    const [low, high] = scaleOf().domain;
    const middle = middleOf() ?? (low + high) / 2;
    onZoom([middle - (middle - low) * factor, middle + (high - middle) * factor]);
  });
}

/** Returns the part of a domain that is zoomed to, or all if they do not overlap. */
export function zoomed([low, high], zoom) {
  if (!zoom) return [low, high];
  const ends = [Math.max(low, zoom[0]), Math.min(high, zoom[1])];
  return ends[0] < ends[1] ? ends : [low, high];
}
