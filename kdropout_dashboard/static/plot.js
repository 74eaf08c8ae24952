import { html, svg } from "./dom.js";
import { labels, textWidth } from "./names.js";
import { ticks } from "./scale.js";

const TICK = 4;

/** The space in pixels beside the texts to the left and right of a plot. */
export const BESIDE = { left: 20, right: 28 };

/**
 * Returns the space around a plot with `names` to its left and `ends` to its right. It
 * is the same in all charts, so that their steps line up.
 */
export function margins(width, names, ends) {
  return {
    left: room(names, BESIDE.left, 52, Math.min(0.19 * width, 190)),
    right: room(ends, BESIDE.right, 68, Math.min(0.16 * width, 150)),
    top: 22,
    bottom: 36,
  };
}

function room(texts, beside, least, most) {
  const widths = labels(texts, most - beside).map(textWidth);
  return Math.ceil(Math.max(Math.max(0, ...widths) + beside, least));
}

/**
 * Creates an element that can have the keyboard focus, with a drawing and an overlay.
 * The overlay follows the pointer, so that the drawing need not be repainted.
 */
export function createPlot(testid) {
  const base = svg("svg", { class: "base", "aria-hidden": "true" });
  const overlay = svg("svg", { class: "overlay", "aria-hidden": "true" });
  const element = html(
    "div",
    { class: "plot", tabindex: "0", role: "application", "data-testid": testid },
    base,
    overlay,
  );
  return {
    element,
    base,
    overlay,
    resize(width, height) {
      element.style.height = `${height}px`;
      for (const layer of [base, overlay]) {
        layer.setAttribute("width", width);
        layer.setAttribute("height", height);
      }
    },
    place(event) {
      const corner = element.getBoundingClientRect();
      return [event.clientX - corner.left, event.clientY - corner.top];
    },
  };
}

/** Draws an axis below a plot. `smallest` is the least distance between two ticks. */
export function xAxis(x, bottom, title, { smallest = 0, count = 8 } = {}) {
  const [start, end] = x.range;
  const fitting = Math.min(count, Math.floor((end - start) / 44));
  const marks = ticks(x.domain, fitting, smallest).flatMap((value) => [
    svg("line", line(x(value), bottom, x(value), bottom + TICK)),
    svg(
      "text",
      { x: x(value), y: bottom + 16, "text-anchor": "middle" },
      String(value),
    ),
  ]);
  const middle = { x: (start + end) / 2, y: bottom + 31, "text-anchor": "middle" };
  return svg(
    "g",
    { class: "axis" },
    svg("line", line(start, bottom, end, bottom)),
    ...marks,
    title ? svg("text", { ...middle, class: "title" }, title) : null,
  );
}

/** Draws grid lines, with numbers to the left of a plot and a title above them. */
export function yAxis(y, [start, end], title, count = 5) {
  const top = Math.min(...y.range);
  const marks = ticks(y.domain, count).flatMap((value) => [
    svg("line", { ...line(start, y(value), end, y(value)), class: "grid" }),
    svg(
      "text",
      { x: start - 8, y: y(value), dy: "0.32em", "text-anchor": "end" },
      String(value),
    ),
  ]);
  const corner = { x: start, y: top - 8, class: "title" };
  return svg("g", { class: "axis" }, ...marks, svg("text", corner, title));
}

/** Returns the attributes of a straight line. */
export function line(x1, y1, x2, y2) {
  return { x1, y1, x2, y2 };
}

/** Sets the attributes of an element of an overlay and shows it. */
export function show(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.removeAttribute("display");
}

/** Hides an element of an overlay. */
export function hide(element) {
  element.setAttribute("display", "none");
}
