import { html, svg } from "./dom.js";
import { line } from "./plot.js";
import { format, linear } from "./scale.js";

const SIZE = { width: 300, height: 40 };
const SIDE = 10;
const MIDDLE = 14;

/** Creates a table of the gains of a confirmation, each drawn with its interval. */
export function createGains() {
  const title = html("p", { class: "sentence" });
  const body = html("tbody");
  const head = ["Setting", "Gain", "", "Verdict"].map((text) =>
    html("th", { scope: "col" }, text),
  );
  const table = html(
    "table",
    { class: "gains", "data-testid": "gains" },
    html("thead", {}, html("tr", {}, ...head)),
    body,
  );
  return {
    element: html("div", { class: "sideways" }, title, table),
    draw({ title: text, rows }) {
      title.textContent = text;
      const x = scaleOf(rows);
      body.replaceChildren(...rows.map((row) => rowOf(row, x)));
    },
  };
}

/** Returns a scale for all rows, which includes 0. */
function scaleOf(rows) {
  const values = rows.flatMap(({ gains, low, high }) => [...gains, low, high]);
  const known = [0, ...values.filter((value) => value !== null)];
  return linear(
    [Math.min(...known), Math.max(...known)],
    [SIDE, SIZE.width - SIDE],
  );
}

function rowOf(row, x) {
  return html(
    "tr",
    { class: row.verdict, "data-testid": "gain" },
    html("th", { scope: "row" }, `${row.setting} against ${row.reference}`),
    html("td", {}, picture(row, x)),
    html("td", { class: "number" }, textOf(row)),
    html("td", { class: "verdict" }, row.verdict),
  );
}

function textOf({ mean, low, high, unit }) {
  if (mean === null) return "too few scores";
  const number = unit ? `${format(mean)} ${unit}` : format(mean);
  return low === null ? number : `${number} (${format(low)} to ${format(high)})`;
}

/** Draws the interval, the mean, and a dot for each pair of trainings. */
function picture({ gains, mean, low, high }, x) {
  const dots = gains.map((gain) =>
    svg("circle", { class: "pair", cx: x(gain), cy: MIDDLE + 14, r: 2 }),
  );
  const interval = low === null ? [] : [
    svg("line", { ...line(x(low), MIDDLE, x(high), MIDDLE), class: "interval" }),
    svg("line", { ...line(x(low), MIDDLE - 5, x(low), MIDDLE + 5), class: "interval" }),
    svg("line", {
      ...line(x(high), MIDDLE - 5, x(high), MIDDLE + 5),
      class: "interval",
    }),
  ];
  const point = mean === null ? [] : [
    svg("circle", { class: "gain", cx: x(mean), cy: MIDDLE, r: 5 }),
  ];
  return svg(
    "svg",
    { ...SIZE, class: "gain-picture", "aria-hidden": "true" },
    svg("line", { ...line(x(0), 2, x(0), SIZE.height - 2), class: "zero" }),
    ...interval,
    ...dots,
    ...point,
  );
}
