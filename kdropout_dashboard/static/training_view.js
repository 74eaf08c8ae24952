import { createCursor } from "./cursor.js";
import { html } from "./dom.js";
import { createGapView } from "./gap_view.js";
import { createLayerTable } from "./layer_table.js";
import { margins } from "./plot.js";
import { createRatesView } from "./rates_view.js";
import { format } from "./scale.js";
import { extent, latest } from "./series.js";
import { trainingModel, UNITS } from "./training_model.js";

const NO_RATES =
  "This training has no rates yet. TensorBoardRates writes them at the end of each " +
  "epoch. With update_freq=N, it also writes them every N training steps.";
const SAMPLED =
  "Some steps are left out. A chart shows at most 1,000 steps, and TensorBoard keeps a " +
  "sample of 1,000 unless you start it with --samples_per_plugin scalars=0.";

/** Shows a training: rates, gap and layers, with a shared cursor and highlights. */
export function createTrainingView() {
  const cursor = createCursor();
  const pinned = new Set();
  const rates = createRatesView(cursor, toggle);
  const gap = createGapView(cursor);
  const table = createLayerTable(cursor, toggle);
  const filter = html("input", {
    type: "search",
    "aria-label": "Show only layers whose path contains",
    placeholder: "Filter layers and charts",
    "data-testid": "filter",
  });
  const clocks = html("fieldset", { class: "clocks", "data-testid": "clocks" });
  const facts = html("p", { class: "facts", "data-testid": "facts" });
  const note = html("p", { class: "note", "data-testid": "note" });
  const charts = html("div", { class: "charts" }, rates.element, gap.element);
  const count = html("span", { class: "count" });
  const layers = html(
    "section",
    { class: "layers" },
    html("header", {}, html("h2", {}, "Layers"), count, filter),
    table.element,
  );
  const element = html(
    "main",
    { class: "training", "data-testid": "training" },
    html("div", { class: "above" }, facts, clocks),
    note,
    html("div", { class: "columns" }, charts, layers),
  );
  let payload = null;
  let clock = "epoch";

  filter.addEventListener("input", draw);
  clocks.addEventListener("change", (event) => {
    clock = event.target.value;
    cursor.clear();
    draw();
  });

  function toggle(path) {
    if (!pinned.delete(path)) pinned.add(path);
    draw();
  }

  function draw() {
    const width = charts.clientWidth;
    if (!payload || !width) return;
    const model = trainingModel(payload, { clock, filter: filter.value, pinned });
    const hasRates = model.clocks.length > 0;
    rates.element.hidden = !hasRates;
    facts.textContent = describe(payload, model);
    note.textContent = notes(payload, model, filter.value).join(" ");
    note.hidden = !note.textContent;
    count.textContent =
      model.layers.length < model.numLayers
        ? `${model.layers.length} of ${model.numLayers}`
        : `${model.numLayers}`;
    offerClocks(clocks, model);
    const paths = model.layers.map(({ path }) => path);
    const space = margins(width, paths, [...model.styles.keys()]);
    if (hasRates) rates.draw(model, width, space);
    gap.draw(payload, width, space);
    table.draw(model);
  }

  return {
    element,
    draw,
    show(next) {
      if (payload?.run !== next.run) cursor.clear();
      payload = next;
      draw();
    },
  };
}

/** Summarises the training in one line. */
function describe(payload, { numLayers, steps, unit }) {
  const facts = [`${numLayers} ${numLayers === 1 ? "layer" : "layers"}`];
  if (steps.length) facts.push(`${unit} ${steps.at(-1)}`);
  const range = extent([payload.layers.map(({ rate }) => rate)]);
  if (range) {
    const [low, high] = range.map((rate) => format(rate));
    facts.push(low === high ? `rate now ${low}` : `rates now ${low} to ${high}`);
  }
  for (const { metric, clean } of payload.gaps) {
    const value = latest(clean);
    if (value !== null) facts.push(`clean gap of ${metric} ${format(value)}`);
  }
  return facts.join("  \u00b7  ");
}

function notes(payload, { clocks, layers }, filter) {
  const found = [];
  if (!clocks.length) found.push(NO_RATES);
  else if (!layers.length && filter)
    found.push(`No layer's path contains "${filter}".`);
  if (payload.sampled) found.push(SAMPLED);
  return found;
}

/** Shows radio buttons if there are several clocks. */
function offerClocks(fieldset, { clocks, clock }) {
  fieldset.hidden = clocks.length < 2;
  if (fieldset.children.length === clocks.length + 1) {
    fieldset.querySelector(`input[value=${clock}]`).checked = true;
    return;
  }
  fieldset.replaceChildren(
    html("legend", {}, "Rates by"),
    ...clocks.map((name) => {
      const attributes = { type: "radio", name: "clock", value: name };
      const input = html("input", { ...attributes, checked: name === clock && "" });
      return html("label", {}, input, UNITS[name]);
    }),
  );
}
