import { axesOf, AXES, placed, placeOf } from "./axis.js";
import { DASHES } from "./colour.js";
import { shortenTo } from "./names.js";
import { ceiling } from "./scale.js";
import { extent, latest, stepDomain, union } from "./series.js";
import { zoomed } from "./zoom.js";

const LONGEST = 40;

/** Colours and dashes distinguish up to this many lines. */
const DISTINCT = DASHES.length;

/** Returns the axis of the charts: the chosen one, if the chosen run has data for it. */
export function axisOf(entries, axis) {
  const axes = axesOf(entries[0].payload);
  return { axes, axis: axes.includes(axis) ? axis : axes[0] };
}

/** Returns the whole axis of all runs, and the part of it in view. */
export function domainsOf(entries, axis, zoom) {
  const ends = entries.flatMap(({ payload }) => stepDomain(placesOf(payload, axis)));
  const all = [Math.min(...ends), Math.max(...ends)];
  const domain = zoomed(all, zoom);
  return { all, domain, isZoomed: domain[0] > all[0] || domain[1] < all[1] };
}

/** Returns the data of the charts of a training: the visible layers and their series. */
export function trainingModel(payload, { axis, domain, isZoomed, filter, pinned }) {
  const { steps, lists } = ratesOn(payload, axis);
  const wanted = filter.trim().toLowerCase();
  const layers = payload.layers
    .map((layer, row) => describe(payload, layer, lists[row] ?? []))
    .filter((layer) => layer.path.toLowerCase().includes(wanted));
  const groups = equalLines(layers);
  return {
    run: payload.run,
    axis,
    unit: AXES[axis],
    hasRates: Boolean(payload.rates.epoch ?? payload.rates.batch),
    steps,
    layers,
    groups,
    rowOf: new Map(layers.map((layer, row) => [layer.path, row])),
    numLayers: payload.layers.length,
    domain,
    isZoomed,
    top: topOf(payload),
    styles: lineStyles(groups, pinned),
    pinned,
  };
}

/** Returns the end of the axis of the rates. */
export function topOf({ rates }) {
  const lists = [rates.epoch, rates.batch].flatMap((series) => series?.values ?? []);
  return ceiling(extent(lists)?.[1] ?? 0);
}

/** Returns the rates of all layers on an axis. */
export function ratesOn(payload, axis) {
  const { epoch, batch } = payload.rates;
  if (axis === "step" && batch) return { steps: batch.steps, lists: batch.values };
  return placed(payload, axis, epoch?.steps ?? [], epoch?.values ?? []);
}

/** Returns all places of an axis with a measurement, because the charts share it. */
function placesOf(payload, axis) {
  const { rates, gaps, metrics } = payload;
  const lists = [...gaps, ...(metrics ?? [])].map(({ steps }) => steps);
  if (rates.epoch) lists.push(rates.epoch.steps);
  const place = placeOf(payload, axis);
  const places = lists.length ? union(lists).map(place) : [];
  const known = places.filter((value) => value !== null);
  return axis === "step" && rates.batch ? union([known, rates.batch.steps]) : known;
}

/** Returns the groups of layers that have the same rate at each step. */
function equalLines(layers) {
  const buckets = new Map();
  const groups = [];
  for (const layer of layers) {
    const { values } = layer;
    const mark = [0, values.length >> 1, values.length - 1]
      .map((i) => values[i])
      .join();
    const bucket = buckets.get(mark) ?? [];
    const group = bucket.find(({ values: other }) => same(other, values));
    if (group) {
      group.paths.push(layer.path);
      continue;
    }
    const made = { path: layer.path, paths: [layer.path], values };
    groups.push(made);
    buckets.set(mark, [...bucket, made]);
  }
  return groups;
}

function same(one, other) {
  return one.length === other.length && one.every((value, i) => value === other[i]);
}

function describe(payload, layer, values) {
  const row = payload.layers.indexOf(layer);
  return {
    path: layer.path,
    kind: shortenTo(layer.kind, LONGEST),
    decidedBy: shortenTo(layer.decided_by, LONGEST),
    rate: layer.rate,
    values,
    dropped: latest(payload.drop_fractions?.values[row] ?? []),
    terms: Object.fromEntries(
      payload.terms.map(({ name, values: found }) => [name, latest(found[row] ?? [])]),
    ),
  };
}

/** Returns colour and dash by path, for all lines if few, else for pinned layers. */
function lineStyles(groups, pinned) {
  const named =
    groups.length <= DISTINCT
      ? groups
      : groups.filter(({ paths }) => paths.some((path) => pinned.has(path)));
  return new Map(
    named.flatMap(({ paths }, i) => {
      const style = {
        colour: `var(--line-${(i % DISTINCT) + 1})`,
        dash: DASHES[i % DISTINCT],
      };
      return paths.map((path) => [path, style]);
    }),
  );
}
