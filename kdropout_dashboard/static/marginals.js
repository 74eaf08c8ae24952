import { html } from "./dom.js";
import { createMarginalChart } from "./marginal_chart.js";

const LEAST = 250;
const COLUMNS = 3;

/** Creates a small chart per dimension, which shows the score by its value. */
export function createMarginals(cursor) {
  const element = html("div", { class: "multiples", "data-testid": "marginals" });
  let charts = [];
  cursor.listen(() => charts.forEach((chart) => chart.follow()));

  return {
    element,
    draw(model, width) {
      const { dimensions } = model;
      if (charts.length !== dimensions.length) {
        charts = dimensions.map(() => createMarginalChart(cursor));
        element.replaceChildren(...charts.map((chart) => chart.element));
      }
      const fitting = Math.max(Math.floor(width / LEAST), 1);
      const size = Math.floor(
        width / Math.min(fitting, Math.max(dimensions.length, COLUMNS)),
      );
      charts.forEach((chart, i) => chart.draw(model, dimensions[i], size));
    },
  };
}
