import { html, svg } from "./dom.js";
import { labels, textWidth } from "./names.js";
import { ticks } from "./scale.js";

const TICK = 4;

/** What lies between a plot and the text beside it, and at that text's other end. */
export const BESIDE = { left: 20, right: 28 };

/**
 * The space around a plot, the same in all charts so that their steps line up:
 * `names` stand to its left and `ends` to its right, as short as they have to be.
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
 * An element that the keyboard reaches, with a drawing and, above it, an overlay of
 * its own: what follows the pointer is repainted without what lies below.
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

/** Ticks, numbers and title below a plot. `smallest`: least distance of two ticks. */
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

/** Grid lines and numbers to the left of a plot, with a title above them. */
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

/** Attributes of a straight line. */
export function line(x1, y1, x2, y2) {
  return { x1, y1, x2, y2 };
}

/** Changes attributes of an element of an overlay and shows it. */
export function show(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.removeAttribute("display");
}

/** Takes an element of an overlay out of sight. */
export function hide(element) {
  element.setAttribute("display", "none");
}
