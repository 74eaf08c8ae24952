import { html, svg } from "./dom.js";
import { shortenTo } from "./names.js";
import { format } from "./scale.js";

const WIDTH = 240;
const HEIGHT = 12;
const LONGEST = 48;

/** Creates a table of the dimensions with a bar each, the most important one first. */
export function createImportanceChart() {
  const body = html("tbody");
  const head = html(
    "tr",
    {},
    ...["Rate", "Importance", ""].map((title) => html("th", { scope: "col" }, title)),
  );
  const element = html(
    "div",
    { class: "sideways runs", "data-testid": "importance" },
    html("table", {}, html("thead", {}, head), body),
  );
  return {
    element,
    /** Draws the importance of each dimension [{name, mean, std}]. */
    draw(importance, { dimensions, problem }) {
      const most = Math.max(...importance.map(({ mean, std }) => mean + std), 1e-9);
      const known = new Map(dimensions.map((dimension) => [dimension.name, dimension]));
      const order = [...importance].sort((one, other) => other.mean - one.mean);
      body.replaceChildren(
        ...order.map(({ name, mean, std }) => {
          const { label, title } = known.get(name) ?? { label: name, title: name };
          return html(
            "tr",
            { "data-testid": "importance-row" },
            html("th", { scope: "row", title }, shortenTo(label, LONGEST)),
            html("td", { class: "number" }, `${format(mean)} \u00b1 ${format(std)}`),
            html("td", {}, bar(mean, std, most, Boolean(problem))),
          );
        }),
      );
    },
  };
}

function bar(mean, std, most, isDoubtful) {
  const scale = (value) => (Math.max(value, 0) / most) * (WIDTH - 4);
  const middle = HEIGHT / 2;
  return svg(
    "svg",
    { width: WIDTH, height: HEIGHT, "aria-hidden": "true" },
    svg("rect", {
      class: isDoubtful ? "bar doubtful" : "bar",
      width: scale(mean),
      height: HEIGHT,
    }),
    svg("path", {
      class: "whisker",
      d: `M${scale(mean - std)},${middle}H${scale(mean + std)}`,
    }),
  );
}
