import { createCursor } from "./cursor.js";
import { html } from "./dom.js";
import { downloads } from "./download.js";
import { createGapView } from "./gap_view.js";
import { createLayerTable, layerRows } from "./layer_table.js";
import { countText } from "./line_chart.js";
import { margins } from "./plot.js";
import { createRatesView } from "./rates_view.js";
import { createRunChooser } from "./run_chooser.js";
import { createRunTable } from "./run_table.js";
import { format } from "./scale.js";
import { metricNames, PARTS } from "./score.js";
import { createScoreView } from "./score_view.js";
import { extent, latest } from "./series.js";
import { createToolbar } from "./toolbar.js";
import { axisOf, domainsOf, trainingModel } from "./training_model.js";

const NO_RATES =
  "This training has no rates yet. TensorBoardRates writes them at the end of each " +
  "epoch. With update_freq=N, it also writes them every N training steps.";
const SAMPLED =
  "Some steps are left out. A chart shows at most 1,000 steps, and TensorBoard keeps a " +
  "sample of 1,000 unless you start it with --samples_per_plugin scalars=0.";

const FEWER =
  "The rates of the other runs have fewer steps, because there are many. Choose a run to " +
  "see all of its rates.";

/**
 * Shows trainings: their losses, gaps and rates, and the layers of the chosen one, with a
 * shared cursor and highlights. `runs` has the handlers onChoose(name), onAdd(names) and
 * onRemove(names).
 */
export function createTrainingView(settings, runs) {
  const cursor = createCursor();
  const onZoom = (zoom) => change({ zoom: zoom && inside(zoom) });
  const legend = createRunTable({
    onChoose: runs.onChoose,
    onRemove: (name) => runs.onRemove([name]),
  });
  const chooser = createRunChooser(runs);
  const toolbar = createToolbar((changes) => {
    if (changes.axis) cursor.clear();
    change(changes);
  });
  const score = createScoreView(cursor, {
    onZoom,
    onParts: (parts) => change({ parts }),
  });
  const gap = createGapView(cursor, { onZoom });
  const rates = createRatesView(cursor, { onPin: toggle, onZoom });
  const table = createLayerTable(cursor, {
    onPin: toggle,
    onSort: (sort) => change({ sort }),
  });
  const filter = html("input", {
    type: "search",
    "aria-label": "Show only layers whose path contains",
    placeholder: "Filter layers and charts",
    "data-testid": "filter",
  });
  const facts = html("p", { class: "facts", "data-testid": "facts" });
  const note = html("p", { class: "note", "data-testid": "note" });
  const count = html("span", { class: "count" });
  const files = downloads("layers", { table: () => layerRows(model) });
  const layers = html(
    "section",
    { class: "layers" },
    html("header", {}, html("h2", {}, "Layers"), count, filter, files),
    table.element,
  );
  const element = html(
    "main",
    { class: "training", "data-testid": "training" },
    html("div", { class: "above" }, facts),
    note,
    chooser.element,
    legend.element,
    toolbar.element,
    html(
      "div",
      { class: "columns" },
      score.element,
      gap.element,
      rates.element,
      layers,
    ),
  );
  let shown = null;
  let model = null;
  let all = [0, 1];

  filter.addEventListener("input", () => change({ filter: filter.value }));

  function change(changes) {
    settings.set(changes);
    draw();
  }

  function toggle(path) {
    const { layers: pinned } = settings.values;
    const others = pinned.filter((one) => one !== path);
    change({ layers: others.length < pinned.length ? others : [...pinned, path] });
  }

  /** Returns the part of a range inside of the axis, or null if that is all of it. */
  function inside([low, high]) {
    const ends = [Math.max(low, all[0]), Math.min(high, all[1])];
    return ends[0] > all[0] || ends[1] < all[1] ? ends : null;
  }

  function draw() {
    const width = score.element.clientWidth;
    if (!shown || !width) return;
    const { entries, names, missing } = shown;
    const { values } = settings;
    const [{ payload, name }] = entries;
    const { axes, axis } = axisOf(entries, values.axis);
    const domains = domainsOf(entries, axis, values.zoom);
    const { domain, isZoomed } = domains;
    all = domains.all;
    const pinned = new Set(values.layers);
    model = trainingModel(payload, { axis, ...domains, filter: values.filter, pinned });
    const metrics = metricNames(entries.map((entry) => entry.payload));
    const metric = metrics.includes(values.metric) ? values.metric : (metrics[0] ?? "");
    if (document.activeElement !== filter) filter.value = values.filter;
    facts.textContent = describe(payload, model);
    note.textContent = notes(entries, model, values, missing, metrics).join(" ");
    note.hidden = !note.textContent;
    count.textContent =
      model.layers.length < model.numLayers
        ? `${model.layers.length} of ${model.numLayers}`
        : `${model.numLayers}`;
    chooser.draw(
      names,
      entries.map((entry) => entry.name),
      name,
    );
    legend.element.hidden = !metrics.length;
    // The order of the rows is that of the colours, whichever run is chosen.
    legend.draw(
      [...entries].sort((one, other) => one.slot - other.slot),
      metric,
      name,
    );
    toolbar.draw({
      metrics,
      axes,
      values: { ...values, axis, metric },
      domain,
      all,
    });
    const paths = model.layers.map(({ path }) => path);
    const space = margins(width, paths, endNames(entries, model));
    const { smoothing, parts } = values;
    const choices = { entries, metric, axis, unit: model.unit, domain, isZoomed };
    const known = parts.filter((part) => Object.hasOwn(PARTS, part));
    rates.element.hidden = !model.hasRates;
    score.draw({ ...choices, smoothing, parts: known }, width, space);
    gap.draw({ ...choices, smoothing }, width, space);
    if (model.hasRates) rates.draw(model, entries, width, space);
    // With several runs, the colours are those of the runs.
    const styles = entries.length > 1 ? new Map() : model.styles;
    table.draw({ ...model, styles }, values.sort);
  }

  return {
    element,
    draw,
    /**
     * Shows the entries [{name, slot, style, payload}], of which the first is the chosen
     * run. `names` are those of all trainings, `missing` those that do not exist.
     */
    show(next) {
      if (shown?.entries[0].name !== next.entries[0].name) cursor.clear();
      shown = next;
      draw();
    },
  };
}

/** Returns the names at the right ends of the lines. */
function endNames(entries, { groups, styles }) {
  if (entries.length > 1) return entries.map(({ name }) => name);
  const named = groups.filter(({ path }) => styles.has(path));
  return [
    ...named.map(({ path, paths }) => path + countText(paths.length)),
    "dropout off",
  ];
}

/** Summarises the training in one line. */
function describe(payload, { numLayers }) {
  const facts = [`${numLayers} ${numLayers === 1 ? "layer" : "layers"}`];
  const lists = [...(payload.metrics ?? []), ...payload.gaps];
  if (payload.rates.epoch) lists.push(payload.rates.epoch);
  const ends = lists.flatMap(({ steps }) => steps.slice(-1));
  if (ends.length) facts.push(`epoch ${Math.max(...ends) + 1}`);
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

/** Returns what the reader must know about the data and about the address. */
function notes(entries, model, { filter, layers, metric }, missing, metrics) {
  const [{ payload }, ...others] = entries;
  const found = [];
  if (!model.hasRates) found.push(NO_RATES);
  else if (!model.layers.length && filter)
    found.push(`No layer's path contains "${filter}".`);
  if (entries.some((entry) => entry.payload.sampled)) found.push(SAMPLED);
  if (others.some((other) => other.payload.shared)) found.push(FEWER);
  for (const name of missing)
    found.push(`The run "${name}" is not in this log folder.`);
  const known = new Set(payload.layers.map(({ path }) => path));
  const gone = layers.filter((path) => !known.has(path)).length;
  if (gone) {
    const count = gone === 1 ? "1 highlighted layer" : `${gone} highlighted layers`;
    found.push(`This run does not have ${count}.`);
  }
  if (metric && !metrics.includes(metric))
    found.push(`No run has a metric "${metric}".`);
  return found;
}
