import { DASHES } from "./colour.js";
import { shortenTo } from "./names.js";
import { ceiling } from "./scale.js";
import { extent, latest, stepDomain } from "./series.js";

/** The units of the axis by clock. */
export const UNITS = { epoch: "epoch", batch: "training step" };

const LONGEST = 40;

/** Colours and dashes distinguish up to this many lines. */
const DISTINCT = DASHES.length;

/** Returns the data of the charts of a training: the visible layers and their series. */
export function trainingModel(payload, { clock, filter, pinned }) {
  const clocks = Object.keys(UNITS).filter((name) => payload.rates[name]);
  const chosen = clocks.includes(clock) ? clock : (clocks[0] ?? "epoch");
  const series = payload.rates[chosen] ?? { steps: [], values: [] };
  const wanted = filter.trim().toLowerCase();
  const layers = payload.layers
    .map((layer, row) => describe(payload, layer, series, row))
    .filter((layer) => layer.path.toLowerCase().includes(wanted));
  const top = ceiling(extent(series.values)?.[1] ?? 0);
  return {
    run: payload.run,
    clock: chosen,
    clocks,
    unit: UNITS[chosen],
    steps: series.steps,
    layers,
    rowOf: new Map(layers.map((layer, row) => [layer.path, row])),
    numLayers: payload.layers.length,
    domain: stepDomain(chosen === "epoch" ? epochs(payload) : series.steps),
    top,
    styles: lineStyles(layers, pinned),
    pinned,
  };
}

/** Returns all epochs with a measurement, because the charts share one axis. */
export function epochs(payload) {
  const lists = payload.gaps.map((gap) => gap.steps);
  if (payload.rates.epoch) lists.push(payload.rates.epoch.steps);
  return [...new Set(lists.flat())].sort((one, other) => one - other);
}

function describe(payload, layer, series, row) {
  return {
    path: layer.path,
    kind: shortenTo(layer.kind, LONGEST),
    decidedBy: shortenTo(layer.decided_by, LONGEST),
    rate: layer.rate,
    values: series.values[row] ?? [],
    dropped: latest(payload.drop_fractions?.values[row] ?? []),
    terms: Object.fromEntries(
      payload.terms.map(({ name, values }) => [name, latest(values[row] ?? [])]),
    ),
  };
}

/** Returns colour and dash by path, for all layers if few, else for pinned ones. */
function lineStyles(layers, pinned) {
  const paths = layers.map((layer) => layer.path);
  const named =
    paths.length <= DISTINCT
      ? paths
      : [...pinned].filter((path) => paths.includes(path));
  return new Map(
    named.map((path, i) => [
      path,
      { colour: `var(--line-${(i % DISTINCT) + 1})`, dash: DASHES[i % DISTINCT] },
    ]),
  );
}
