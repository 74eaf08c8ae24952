import { svg } from "./dom.js";
import { createDotPlot, trialDot } from "./dot_plot.js";
import { xAxis, yAxis } from "./plot.js";
import { linear } from "./scale.js";
import { extent } from "./series.js";

const HEIGHT = 280;
const SPACE = { left: 62, right: 20, top: 26, bottom: 40 };

/** Creates a chart of all trials by two objectives, with their Pareto front. */
export function createParetoChart(cursor) {
  const plot = createDotPlot("pareto", cursor, 7);

  return {
    element: plot.element,
    follow: plot.follow,
    draw({ trials, front }, [first, second], width) {
      const low = HEIGHT - SPACE.bottom;
      const x = linear(domainOf(first), [SPACE.left, width - SPACE.right]);
      const y = linear(domainOf(second), [low, SPACE.top]);
      const dots = trials
        .map(({ id, kept }, i) => ({
          id,
          kept,
          at: [first.values[i], second.values[i]],
        }))
        .filter(({ at }) => !at.includes(null))
        .map(({ id, kept, at }) => ({
          id,
          kept,
          x: x(at[0]),
          y: y(at[1]),
          inFront: front.has(id),
        }))
        .sort((one, other) => one.x - other.x);
      plot.resize(width, HEIGHT);
      plot.element.style.width = `${width}px`;
      plot.element.setAttribute("aria-label", describe(first, second, dots));
      plot.base.replaceChildren(
        yAxis(y, x.range, titleOf(second), 5),
        xAxis(x, low, titleOf(first), { count: 6 }),
        // The front is above the other trials.
        ...dots.filter(({ inFront }) => !inFront).map(trialDot),
        ...dots.filter(({ inFront }) => inFront).map(diamond),
      );
      plot.put(dots);
    },
  };
}

function domainOf({ values }) {
  const [low, high] = extent([values]) ?? [0, 1];
  const room = 0.05 * (high - low) || 0.5;
  return [low - room, high + room];
}

function titleOf({ label, direction }) {
  return `${label}, ${direction === "max" ? "higher" : "lower"} is better`;
}

function diamond({ x, y, kept }) {
  const d = `M${x},${y - 6}l6,6l-6,6l-6,-6Z`;
  return svg("path", { class: kept ? "front" : "front out", d });
}

function describe(first, second, dots) {
  const number = dots.filter(({ inFront }) => inFront).length;
  return (
    `${dots.length} trials by ${titleOf(first)}, and ${titleOf(second)}. ${number} of ` +
    "them are the Pareto front. Arrow keys move over trials from left to right."
  );
}
