import { ramp } from "./colour.js";
import { html } from "./dom.js";
import { downloads } from "./download.js";
import { createHeatMap } from "./heat_map.js";
import { legend } from "./legend.js";
import { createLineChart } from "./line_chart.js";
import { shorten } from "./names.js";
import { createReadout, ofRun, placeText } from "./readout.js";
import { format } from "./scale.js";
import { extent, indexAt, mean, nearestIndex } from "./series.js";
import { currentTheme } from "./theme.js";
import { ratesOn, topOf } from "./training_model.js";

const HEIGHT = 260;
// Few layers have a low heat map, which leaves space for the lines.
const TOGETHER = 520;
const HINT =
  "Point at a chart, or use the arrow keys, to read values. Drag, or press + and -, to " +
  "zoom. Click, or press Enter, to highlight a layer.";
// Pixels for the text next to the name of a layer in the readout.
const BESIDE = 360;

/** Shows the rates of the layers as a heat map and as lines, with one cursor. */
export function createRatesView(cursor, { onPin, onZoom }) {
  const heatMap = createHeatMap(cursor, { onPin, onZoom });
  const pin = () => cursor.place?.layer && onPin(cursor.place.layer);
  const chart = createLineChart("rate-chart", {
    onPoint: (step, key) =>
      cursor.move({ clock: model.axis, step, layer: lines.get(key)?.layer ?? null }),
    onLeave: cursor.clear,
    onChoose: pin,
    onZoom,
  });
  const title = html("h2", {}, "Dropout rates");
  const key = html("div", { class: "key" });
  const readout = createReadout("rate-readout");
  const ofRuns = createReadout("runs-readout");
  const files = downloads("dropout rates", {
    table: () => table(model),
    charts: () => [heatMap.element, chart.element],
  });
  const element = html(
    "section",
    { "data-testid": "rates" },
    html("header", {}, title, key, files),
    readout,
    chart.element,
    ofRuns,
    heatMap.element,
  );
  let model = null;
  let entries = [];
  let lines = new Map();
  let width = 0;

  cursor.listen(follow);

  function follow() {
    if (!model) return;
    const { clock, step, layer } = cursor.place ?? {};
    const isKnown = clock === model.axis && step !== null && step !== undefined;
    const line = [...lines.values()].find(({ paths }) => paths?.includes(layer));
    chart.follow(isKnown ? step : null, line?.key ?? null);
    readout.textContent = cursor.place ? describe(model, cursor.place, width) : HINT;
    readout.title = layer ?? "";
    ofRuns.hidden = entries.length < 2;
    ofRuns.replaceChildren(
      ...(isKnown && entries.length > 1 ? values(model, entries, lines, step) : []),
    );
  }

  return {
    element,
    draw(next, found, room, space) {
      model = next;
      width = room;
      entries = found;
      const colour = ramp(currentTheme());
      const numbers = [0, model.top / 2, model.top].map((rate) => format(rate));
      key.replaceChildren(
        legend(colour, numbers, "Colours of the rates"),
        html("span", { class: "hatch" }),
        "no value",
      );
      title.textContent =
        entries.length > 1 ? "Dropout rates of the runs" : "Dropout rates";
      const height = heatMap.draw(model, entries.length > 1, width, space);
      const drawn = entries.length > 1 ? comparison(model, entries) : content(model);
      lines = new Map(drawn.lines.map((line) => [line.key, line]));
      chart.draw(drawn, width, Math.max(HEIGHT, TOGETHER - height), space);
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
  if (clock !== model.axis || !model.steps.length) return "";
  const i = nearestIndex(model.steps, step);
  const text = placeText(model.axis, model.steps[i]);
  const place = text.charAt(0).toLowerCase() + text.slice(1);
  if (found) {
    const rate = format(found.values[i]);
    return `${name}: ${place}, rate ${rate}, decided by ${found.decidedBy}`;
  }
  const range = extent([model.layers.map(({ values: rates }) => rates[i] ?? null)]);
  if (!range) return `${place}: no rates`;
  return `${place}: rates from ${format(range[0])} to ${format(range[1])}`;
}

/** Returns the lines of the layers of one run. Equal ones are one line with a count. */
function content(model) {
  const { groups, steps, styles, domain, top, unit, axis, isZoomed } = model;
  return {
    lines: groups.map(({ path, paths, values: rates }) => {
      const style = styles.get(path);
      const { colour, dash } = style ?? { colour: "var(--faint)", dash: "" };
      const named = style !== undefined;
      return {
        key: path,
        layer: path,
        paths,
        name: path,
        count: paths.length,
        title: paths.join("\n"),
        steps,
        values: rates,
        colour,
        dash,
        named,
        width: named ? 2 : 1,
      };
    }),
    domain,
    range: [0, top],
    unit,
    smallest: axis === "time" ? 0 : 1,
    isZoomed,
    title: "rate",
    label:
      `Line chart of the dropout rates of ${model.layers.length} layers, from 0 to ` +
      `${top}. Left and right move over steps, up and down over lines.`,
  };
}

/** Returns a line per run: the mean rate of its layers, or that of each pinned layer. */
function comparison(model, entries) {
  const { axis, domain, isZoomed, unit } = model;
  const lines = entries.flatMap(({ name, payload, style }) => {
    const { steps, lists } = ratesOn(payload, axis);
    const shown = payload.layers
      .map(({ path }, row) => ({ path, rates: lists[row] ?? [] }))
      .filter(({ path }) => model.pinned.size === 0 || model.pinned.has(path));
    const shared = { steps, colour: style.colour, named: true, width: 2 };
    if (model.pinned.size) {
      return shown.map(({ path, rates }) => ({
        ...shared,
        key: `${name}\n${path}`,
        run: name,
        layer: path,
        paths: [path],
        name: model.pinned.size > 1 ? `${name}: ${path}` : name,
        title: `${name}: ${path}`,
        values: rates,
        dash: style.dash,
      }));
    }
    const rates = steps.map((_, i) =>
      mean(
        shown.map(({ rates: list }) => list[i] ?? null),
        0,
        shown.length,
      ),
    );
    return [{ ...shared, key: name, run: name, name, values: rates, dash: style.dash }];
  });
  const what = model.pinned.size ? "of the highlighted layers" : "mean over the layers";
  return {
    lines,
    domain,
    range: [0, Math.max(...entries.map(({ payload }) => topOf(payload)))],
    unit,
    smallest: axis === "time" ? 0 : 1,
    isZoomed,
    title: `rate, ${what}`,
    label:
      `Line chart of the dropout rates of ${entries.length} runs, ${what}. Left and ` +
      "right move over steps, up and down over lines.",
  };
}

/** Returns the rates of all runs at a place of the axis. */
function values(model, entries, lines, place) {
  const texts = entries.map((entry) => {
    const found = [...lines.values()]
      .filter(({ run }) => run === entry.name)
      .map(({ layer, steps, values: rates }) => {
        const i = indexAt(steps, place);
        return `${layer ?? "mean rate"} ${format(rates[i])}`;
      });
    return ofRun(entry, found.join(", ") || "has no such layer");
  });
  return [`${placeText(model.axis, place)}: `, ...texts];
}

/** Returns the rows of the CSV: the rates of all layers of the chosen run. */
function table({ axis, steps, layers }) {
  const names = { epoch: "epoch", step: "training_step", time: "minutes" };
  const rows = steps.map((step, i) => [
    step,
    ...layers.map(({ values: rates }) => rates[i]),
  ]);
  return [[names[axis], ...layers.map(({ path }) => path)], ...rows];
}
