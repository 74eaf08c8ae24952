import { svg } from "./dom.js";
import { createDotPlot, trialDot } from "./dot_plot.js";
import { shorten } from "./names.js";
import { line, xAxis, yAxis } from "./plot.js";
import { linear } from "./scale.js";
import { quality, valueText } from "./search_model.js";

const HEIGHT = 190;
// Pixels for the warning beside the title.
const DOUBT = 72;
const SPACE = { left: 58, right: 16, top: 26, bottom: 26 };

/** Creates a chart of the scores of all trials by one dimension, with the mean curve. */
export function createMarginalChart(cursor) {
  const plot = createDotPlot("marginal", cursor);

  return {
    element: plot.element,
    follow: plot.follow,
    draw(model, dimension, width) {
      const { scores, trials } = model;
      const low = HEIGHT - SPACE.bottom;
      const x = linear(padded(dimension), [SPACE.left, width - SPACE.right]);
      const y = linear([scores.worst, scores.best], [low, SPACE.top]);
      const toY = (score) =>
        y(scores.worst) + quality(scores, score) * (SPACE.top - low);
      const dots = trials
        .map(({ id, score, kept }, i) => ({
          id,
          kept,
          value: dimension.tried[i],
          y: toY(score),
        }))
        .filter(({ value }) => value !== null)
        .sort((one, other) => one.value - other.value)
        .map((dot) => ({ ...dot, x: x(dot.value) }));
      plot.resize(width, HEIGHT);
      plot.element.style.width = `${width}px`;
      plot.element.setAttribute("aria-label", describe(model, dimension));
      plot.base.replaceChildren(
        title(dimension, width, dimension.marginal && model.problem),
        ...(dimension.marginal && model.problem ? [doubt(model.problem, width)] : []),
        yAxis(y, x.range, "", 4),
        dimension.levels.length
          ? levelAxis(dimension, x, low)
          : xAxis(x, low, "", { count: 5 }),
        ...curve(dimension, x, toY, model.problem),
        ...dots.map(trialDot),
      );
      plot.put(dots);
    },
  };
}

function describe({ objective, trials }, { title: name, marginal }) {
  const lines = marginal ? ", with the expected score and its spread" : "";
  return (
    `${objective} of ${trials.length} trials by ${name}${lines}. Better is up. ` +
    "Arrow keys move over trials from the lowest value."
  );
}

/** Adds space at both ends of the domain, where many trials lie. */
function padded({ domain: [low, high], levels }) {
  const room = levels.length ? 0.5 : 0.04 * (high - low);
  return [low - room, high + room];
}

function title({ label, title: full }, width, isDoubtful) {
  const room = width - SPACE.left - SPACE.right - (isDoubtful ? DOUBT : 0);
  return svg(
    "text",
    { x: SPACE.left, y: 15, class: "heading" },
    svg("title", {}, full),
    // The heading is bold, which is wider than the measured text.
    shorten(label, 0.9 * room),
  );
}

/** Draws a warning in the chart itself, where the curve is read. */
function doubt(problem, width) {
  return svg(
    "text",
    { x: width - SPACE.right, y: 15, class: "doubt", "text-anchor": "end" },
    svg("title", {}, problem),
    "unreliable",
  );
}

function levelAxis(dimension, x, bottom) {
  const { levels } = dimension;
  const room = (x.range[1] - x.range[0]) / levels.length - 8;
  const names = levels.map((_, i) =>
    svg(
      "text",
      { x: x(i), y: bottom + 16, "text-anchor": "middle" },
      shorten(valueText(dimension, i), room),
    ),
  );
  return svg(
    "g",
    { class: "axis" },
    svg("line", line(x.range[0], bottom, x.range[1], bottom)),
    ...names,
  );
}

/** Draws the mean, with the spread as a band around it. */
function curve({ marginal, levels }, x, toY, problem) {
  if (!marginal) return [];
  const { mean, spread } = marginal;
  const grid = marginal.grid.map((value) =>
    typeof value === "string" ? levels.indexOf(value) : value,
  );
  const points = grid
    .map((_, i) => i)
    .filter((i) => usable([grid[i], mean[i], spread[i]]));
  const trace = (order, value) =>
    order.map((i) => `${x(grid[i]).toFixed(1)},${toY(value(i)).toFixed(1)}`).join("L");
  if (!points.length) return [];
  const upper = trace(points, (i) => mean[i] + spread[i]);
  const lower = trace([...points].reverse(), (i) => mean[i] - spread[i]);
  return [
    svg("path", { class: "band", d: `M${upper}L${lower}Z` }),
    svg("path", {
      class: problem ? "mean doubtful" : "mean",
      d: `M${trace(points, (i) => mean[i])}`,
    }),
  ];
}

function usable(numbers) {
  return numbers.every(Number.isFinite);
}
