import { css, ramp } from "./colour.js";
import { html, svg } from "./dom.js";
import { listenToKeys, moved } from "./keyboard.js";
import { labels, shorten, textWidth } from "./names.js";
import { SCORE, withBounds } from "./brush.js";
import { dimensionAxis, objectiveAxis } from "./parallel_axes.js";
import { createPlot, hide, show } from "./plot.js";
import { format, linear } from "./scale.js";
import { quality } from "./search_model.js";
import { currentTheme } from "./theme.js";

const HEIGHT = 340;
const SPACE = { left: 84, right: 132, top: 44, bottom: 16 };
const LEAST = 62;
// The ramp starts close to the background, where a thin line would be invisible.
export const FAINTEST = 0.3;

// A drag begins within this many pixels of an axis, and has at least this length.
const BESIDE_AXIS = 16;
const SHORTEST = 4;

/**
 * Creates parallel coordinates with an axis per dimension and a line per trial. A drag
 * along an axis filters the trials, by `onBrush`.
 */
export function createParallel(cursor, onBrush) {
  const plot = createPlot("parallel");
  const thick = svg("path", { class: "thick" });
  const area = svg("rect", { class: "chosen-area" });
  plot.overlay.append(area, thick);
  [area, thick].forEach(hide);
  const element = html("div", { class: "sideways" }, plot.element);
  let drawn = null;

  const point = (rank) => {
    const trial = drawn?.model.trials[rank - 1];
    if (trial?.kept) cursor.move({ trial: trial.id });
  };
  const rank = () => drawn?.model.rankOf.get(cursor.place?.trial) ?? 0;

  let start = null;
  plot.element.addEventListener("pointerdown", (event) => {
    const [left, top] = plot.place(event);
    const axis = drawn?.axes.find(({ x }) => Math.abs(x - left) <= BESIDE_AXIS);
    if (axis && event.button === 0) start = { axis, top };
  });
  plot.element.addEventListener("pointermove", (event) => {
    const [left, top] = plot.place(event);
    if (!start) {
      if (drawn) point(nearestTrial(drawn, left, top));
      return;
    }
    if (Math.abs(top - start.top) < SHORTEST) return;
    plot.element.setPointerCapture(event.pointerId);
    show(area, brushArea(start.axis.x, [start.top, top]));
  });
  plot.element.addEventListener("pointerup", (event) => {
    if (!start) return;
    const { axis, top } = start;
    const end = plot.place(event)[1];
    start = null;
    hide(area);
    const isClick = Math.abs(end - top) < SHORTEST;
    const ends = isClick ? null : [top, end].map(axis.scale.invert);
    const { bounds } = drawn.model;
    if (ends || bounds.has(axis.name)) onBrush(withBounds(bounds, axis.name, ends));
  });
  plot.element.addEventListener("pointercancel", () => {
    start = null;
    hide(area);
  });
  plot.element.addEventListener("pointerleave", cursor.clear);
  listenToKeys(plot.element, {
    move(byColumn, byRow) {
      if (!drawn?.model.kept.length) return;
      const { kept } = drawn.model;
      const place = kept.findIndex((trial) => trial.rank === rank());
      point(kept[moved(place, byColumn + byRow, kept.length)].rank);
    },
    jump: (toEnd) => drawn && point(drawn.model.kept.at(toEnd ? -1 : 0)?.rank ?? 0),
    clear: cursor.clear,
  });
  cursor.listen(follow);

  function follow() {
    if (!rank()) hide(thick);
    else show(thick, { d: pathOf(drawn.places[rank() - 1], drawn.xs) });
  }

  return {
    element,
    draw(model, width) {
      const { dimensions, trials, scores } = model;
      const { left, right, top, bottom } = SPACE;
      const fitting = (width - left - right) / Math.max(dimensions.length, 1);
      const between = Math.max(fitting, LEAST);
      const xs = [...dimensions, null].map((_, i) => left + i * between);
      const low = HEIGHT - bottom;
      const axes = dimensions.map(({ domain }) => linear(domain, [low, top]));
      const toScore = linear([0, 1], [low, top]);
      const places = trials.map(({ score }, i) => [
        ...dimensions.map(({ tried }, axis) =>
          tried[i] === null ? null : axes[axis](tried[i]),
        ),
        toScore(quality(scores, score)),
      ]);
      const known = dimensions.map(({ label }) => label);
      // Names have twice the space if they alternate between two rows.
      const rows = known.every((label) => textWidth(label) < between - 8) ? 1 : 2;
      // The first name is also centred above its axis, and must stay in the chart.
      const names = labels(known, Math.min(rows * between - 8, 2 * left));
      const byScore = linear([scores.worst, scores.best], [low, top]);
      const brushed = [
        ...dimensions.map(({ name }, i) => ({ name, x: xs[i], scale: axes[i] })),
        { name: SCORE, x: xs.at(-1), scale: byScore },
      ];
      drawn = { model, xs, places, axes: brushed };
      plot.resize(xs.at(-1) + right, HEIGHT);
      plot.element.style.width = `${xs.at(-1) + right}px`;
      plot.element.setAttribute("aria-label", describe(model));
      plot.base.replaceChildren(
        ...trialLines(drawn),
        ...dimensions.map((one, i) =>
          dimensionAxis(one, names[i], i % rows, axes[i], xs[i], between - 16),
        ),
        objectiveAxis(model, xs.at(-1), [low, top], right),
        ...brushed
          .filter(({ name }) => model.bounds.has(name))
          .map(({ name, x, scale }) => {
            const ends = model.bounds
              .get(name)
              .map((end) => Math.min(Math.max(scale(end), top), low));
            const size = brushArea(x, ends);
            return svg("rect", { ...size, class: "chosen-area", "data-axis": name });
          }),
        bestLabel(drawn),
      );
      follow();
    },
  };
}

function describe({ trials, dimensions, objective, direction }) {
  return (
    `Parallel coordinates of ${trials.length} trials over ${dimensions.length} ` +
    `dimensions and the objective ${objective} (${direction}, better is up). ` +
    "Arrow keys move over trials from the best one. A drag along an axis filters."
  );
}

/** Draws trials from the worst to the best, so that good ones are in front. */
function trialLines({ model, xs, places }) {
  const colour = ramp(currentTheme());
  return model.trials
    .map(({ id, score, rank, kept }) => {
      const share = FAINTEST + (1 - FAINTEST) * quality(model.scores, score);
      return svg("path", {
        class: `trial${rank === 1 ? " best" : ""}${kept ? "" : " out"}`,
        "data-trial": id,
        d: pathOf(places[rank - 1], xs),
        stroke: css(colour(share)),
      });
    })
    .reverse();
}

/** Returns the rectangle around a part of an axis. */
function brushArea(x, ends) {
  const top = Math.min(...ends);
  const height = Math.max(Math.abs(ends[1] - ends[0]), 2);
  return { x: x - 9, y: top, width: 18, height };
}

/** Returns the path of a trial, which skips axes without a value. */
function pathOf(places, xs) {
  let path = "";
  places.forEach((place, i) => {
    if (place === null) return;
    const joined = i > 0 && places[i - 1] !== null;
    path += `${joined ? "L" : "M"}${xs[i].toFixed(1)},${place.toFixed(1)}`;
    // A stroke of length 0 still shows its round cap.
    if (!joined) path += "h0";
  });
  return path;
}

function bestLabel({ model, xs, places }) {
  const best = model.trials[0];
  const [x, y] = [xs.at(-1) + 8, places[0].at(-1)];
  const id = shorten(`trial ${best.id}`, SPACE.right - 12);
  return svg(
    "text",
    { x, y, class: "best" },
    svg("title", {}, best.id),
    svg("tspan", { x, dy: "0.1em" }, `best: ${format(best.score)}`),
    svg("tspan", { x, dy: "1.25em" }, id),
  );
}

/** Returns the rank of the trial whose line is vertically closest to a point, or 0. */
function nearestTrial({ model, xs, places }, left, top) {
  const after = Math.max(
    xs.findIndex((x) => x >= left),
    1,
  );
  const i = left > xs.at(-1) ? xs.length - 1 : after;
  // A search without dimensions has only the axis of the objective.
  const share = xs.length > 1 ? (left - xs[i - 1]) / (xs[i] - xs[i - 1]) : 1;
  let [rank, least] = [0, Infinity];
  places.forEach((place, position) => {
    const [from, to] = [place[i - 1] ?? place[i], place[i] ?? place[i - 1]];
    if (from === null || from === undefined || !model.trials[position].kept) return;
    const inside = Math.min(Math.max(share, 0), 1);
    const distance = Math.abs(from + inside * (to - from) - top);
    if (distance < least) [rank, least] = [position + 1, distance];
  });
  return rank;
}
