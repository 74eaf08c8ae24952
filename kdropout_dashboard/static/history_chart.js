import { svg } from "./dom.js";
import { createDotPlot, trialDot } from "./dot_plot.js";
import { xAxis, yAxis } from "./plot.js";
import { linear } from "./scale.js";
import { quality } from "./search_model.js";

const HEIGHT = 220;
const SPACE = { left: 62, right: 20, top: 26, bottom: 40 };

/** Creates a chart of the score of each trial by its number, with the best so far. */
export function createHistoryChart(cursor) {
  const plot = createDotPlot("history", cursor);
  cursor.listen(plot.follow);

  return {
    element: plot.element,
    draw(model, width) {
      const { scores, objective } = model;
      const order = byNumber(model.trials);
      const low = HEIGHT - SPACE.bottom;
      const ends = [order[0].number - 0.5, order.at(-1).number + 0.5];
      const x = linear(ends, [SPACE.left, width - SPACE.right]);
      const y = linear([scores.worst, scores.best], [low, SPACE.top]);
      const toY = (score) => low + quality(scores, score) * (SPACE.top - low);
      const dots = order.map((trial) => ({
        id: trial.id,
        x: x(trial.number),
        y: toY(trial.score),
        kept: trial.kept,
      }));
      plot.resize(width, HEIGHT);
      plot.element.setAttribute("aria-label", describe(model));
      plot.base.replaceChildren(
        yAxis(y, x.range, `${objective}, better is up`, 4),
        xAxis(x, low, "trial", { smallest: 1 }),
        ...noiseBand(model, x, toY),
        svg("path", { class: "mean", d: bestSoFar(order, dots, x.range[1]) }),
        ...dots.map(trialDot),
      );
      plot.put(dots);
    },
  };
}

/** Draws the scores that noise alone may separate from the best one. */
function noiseBand({ noise, scores, direction }, x, toY) {
  if (noise === null) return [];
  const worse = direction === "max" ? -1 : 1;
  const [left, right] = x.range;
  const [top, bottom] = [toY(scores.best), toY(scores.best + worse * 2 * noise)];
  const size = { x: left, y: top, width: right - left, height: bottom - top };
  const name = "within two standard deviations of the best";
  return [svg("rect", { ...size, class: "band" }, svg("title", {}, name))];
}

/** Returns the trials with their numbers: the ids if these are numbers, else a count. */
function byNumber(trials) {
  const order = [...trials].sort((one, other) =>
    one.id.localeCompare(other.id, "en", { numeric: true }),
  );
  const hasNumbers = order.every(({ id }) => /^\d{1,9}$/.test(id));
  return order.map((trial, i) => ({
    ...trial,
    number: hasNumbers ? Number(trial.id) : i + 1,
  }));
}

/** Returns the path of the best trial so far, by rank. */
function bestSoFar(order, dots, right) {
  let [path, rank] = ["", Infinity];
  order.forEach((trial, i) => {
    if (trial.rank > rank) return;
    rank = trial.rank;
    const [x, y] = [dots[i].x.toFixed(1), dots[i].y.toFixed(1)];
    path += path ? `H${x}V${y}` : `M${x},${y}`;
  });
  return `${path}H${right}`;
}

function describe({ objective, trials }) {
  return (
    `${objective} of ${trials.length} trials by their numbers, with the best so far. ` +
    "Better is up. Arrow keys move over trials."
  );
}
