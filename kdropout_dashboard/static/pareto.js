import { html } from "./dom.js";
import { createParetoChart } from "./pareto_chart.js";

const LEAST = 320;
const MOST = 640;

/** Creates a chart of the first objective with each other one. */
export function createPareto(cursor) {
  const element = html("div", { class: "multiples", "data-testid": "pareto-charts" });
  let charts = [];
  cursor.listen(() => charts.forEach((chart) => chart.follow()));

  return {
    element,
    draw(model, width) {
      const [first, ...others] = model.objectives;
      if (charts.length !== others.length) {
        charts = others.map(() => createParetoChart(cursor));
        element.replaceChildren(...charts.map((chart) => chart.element));
      }
      const columns = Math.min(Math.max(Math.floor(width / LEAST), 1), others.length);
      const size = Math.min(Math.floor(width / Math.max(columns, 1)), MOST);
      charts.forEach((chart, i) => chart.draw(model, [first, others[i]], size));
    },
  };
}
