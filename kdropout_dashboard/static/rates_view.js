import { ramp } from "./colour.js";
import { html } from "./dom.js";
import { createHeatMap } from "./heat_map.js";
import { legend } from "./legend.js";
import { createLineChart } from "./line_chart.js";
import { shorten } from "./names.js";
import { format } from "./scale.js";
import { extent, nearestIndex } from "./series.js";
import { currentTheme } from "./theme.js";

const HEIGHT = 260;
const HINT =
  "Point at a chart, or use the arrow keys, to read values. Click, or press Enter, to " +
  "highlight a layer.";
// Pixels for the text next to the name of a layer in the readout.
const BESIDE = 360;

/** Shows the rates of all layers as a heat map and as lines with one cursor. */
export function createRatesView(cursor, onPin) {
  const heatMap = createHeatMap(cursor, onPin);
  const pin = () => cursor.place?.layer && onPin(cursor.place.layer);
  const chart = createLineChart("rate-chart", {
    onPoint: (step, layer) => cursor.move({ clock: model.clock, step, layer }),
    onLeave: cursor.clear,
    onChoose: pin,
  });
  const key = html("div", { class: "key" });
  const readout = html("p", {
    class: "readout",
    "aria-live": "polite",
    "data-testid": "rate-readout",
  });
  const element = html(
    "section",
    {},
    html("header", {}, html("h2", {}, "Dropout rates"), key),
    readout,
    heatMap.element,
    chart.element,
  );
  let model = null;
  let width = 0;

  cursor.listen(follow);

  function follow() {
    if (!model) return;
    const { clock, step, layer } = cursor.place ?? {};
    chart.follow(clock === model.clock ? step : null, layer ?? null);
    readout.textContent = cursor.place ? describe(model, cursor.place, width) : HINT;
    readout.title = layer ?? "";
  }

  return {
    element,
    draw(next, room, space) {
      model = next;
      width = room;
      const colour = ramp(currentTheme());
      const numbers = [0, model.top / 2, model.top].map((rate) => format(rate));
      key.replaceChildren(
        legend(colour, numbers, "Colours of the rates"),
        html("span", { class: "hatch" }),
        "no value",
      );
      heatMap.draw(model, width, space);
      chart.draw(content(model), width, HEIGHT, space);
      follow();
    },
  };
}

function describe(model, { clock, step, layer }, width) {
  const found = model.layers[model.rowOf.get(layer)];
  const name = found && shorten(layer, Math.max(width - BESIDE, 100));
  if (found && step === null) {
    return `${name}: rate now ${format(found.rate)}, decided by ${found.decidedBy}`;
  }
  if (clock !== model.clock) return "";
  const i = nearestIndex(model.steps, step);
  const place = `${model.unit} ${model.steps[i]}`;
  if (found) {
    const rate = format(found.values[i]);
    return `${name}: ${place}, rate ${rate}, decided by ${found.decidedBy}`;
  }
  const range = extent([model.layers.map(({ values }) => values[i] ?? null)]);
  if (!range) return `${place}: no rates`;
  return `${place}: rates from ${format(range[0])} to ${format(range[1])}`;
}

function content(model) {
  const { layers, steps, styles, domain, top, unit } = model;
  return {
    steps,
    lines: layers.map(({ path, values }) => {
      const style = styles.get(path);
      const { colour, dash } = style ?? { colour: "var(--faint)", dash: "" };
      const named = style !== undefined;
      return {
        key: path,
        name: path,
        values,
        colour,
        dash,
        named,
        width: named ? 2 : 1,
      };
    }),
    domain,
    range: [0, top],
    unit,
    title: "rate",
    label:
      `Line chart of the dropout rates of ${layers.length} layers, from 0 to ${top}. ` +
      `Left and right move over steps, up and down over layers.`,
  };
}
