import { svg } from "./dom.js";
import { shorten } from "./names.js";
import { line } from "./plot.js";
import { format, linear, ticks } from "./scale.js";
import { valueText } from "./search_model.js";

// The distance from the end of an axis to its label, and between two rows of labels.
const ABOVE = 16;
const ROW = 15;

/** Draws the axis of a dimension. `row` is 0 for a label above it, 1 for a higher one. */
export function dimensionAxis(dimension, label, row, y, x, room) {
  const values = dimension.levels.length
    ? dimension.levels.map((_, i) => i)
    : ticks(dimension.domain, 4);
  const name = svg(
    "text",
    { x, y: y.range[1] - ABOVE - ROW * row, class: "title", "text-anchor": "middle" },
    svg("title", {}, dimension.title),
    label,
  );
  const texts = values.map((value) => shorten(valueText(dimension, value), room));
  return axis(x, y, values, texts, name);
}

/** Draws the axis of the objective, on which better scores are at the top. */
export function objectiveAxis({ objective, scores, direction }, x, range, room) {
  const better = direction === "max" ? "higher" : "lower";
  const anchor = { x: x + 2, class: "title" };
  const name = svg(
    "g",
    {},
    svg("title", {}, objective),
    svg("text", { ...anchor, y: range[1] - ABOVE - ROW }, shorten(objective, room - 8)),
    svg("text", { ...anchor, y: range[1] - ABOVE }, `${better} is better (up)`),
  );
  const y = linear([scores.worst, scores.best], range);
  const values = ticks(y.domain, 4);
  const texts = values.map((value) => format(value));
  return axis(x, y, values, texts, name);
}

function axis(x, y, values, texts, name) {
  const marks = values.flatMap((value, i) => {
    const beside = { x: x - 7, y: y(value), dy: "0.32em", "text-anchor": "end" };
    return [
      svg("line", line(x - 4, y(value), x, y(value))),
      svg("text", beside, texts[i]),
    ];
  });
  return svg(
    "g",
    { class: "axis upright" },
    svg("line", line(x, y.range[0], x, y.range[1])),
    ...marks,
    name,
  );
}
