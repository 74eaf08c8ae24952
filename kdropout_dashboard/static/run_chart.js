import { createLineChart } from "./line_chart.js";
import { createReadout } from "./readout.js";

/**
 * Creates a line chart over the axis of the runs, with a line of text below it that
 * reads the values at the shared cursor.
 *   drawn()            the model that was drawn, or null without values
 *   values(model, at)  the contents of the line at a place of the axis
 */
export function createRunChart(name, cursor, { drawn, values, onZoom }) {
  const chart = createLineChart(`${name}-chart`, {
    onPoint: (step) => cursor.move({ clock: drawn().axis, step, layer: null }),
    onLeave: cursor.clear,
    onChoose: () => {},
    onZoom,
  });
  const readout = createReadout(`${name}-readout`);
  cursor.listen(follow);

  function follow() {
    const model = drawn();
    if (!model) return;
    const { clock, step } = cursor.place ?? {};
    const isKnown = clock === model.axis && step !== null && step !== undefined;
    chart.follow(isKnown ? step : null, null);
    readout.replaceChildren(...(isKnown ? values(model, step) : []));
  }

  return {
    element: chart.element,
    readout,
    draw(...content) {
      chart.draw(...content);
      follow();
    },
  };
}
