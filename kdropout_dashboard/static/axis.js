import { nearestIndex } from "./series.js";

/** The axes of the charts of a training, with their titles. */
export const AXES = {
  epoch: "epoch",
  step: "training step",
  time: "minutes since the start",
};

/** Returns the axes for which a training has data. */
export function axesOf(payload) {
  const known = { epoch: true, time: payload.times };
  known.step = payload.training_steps ?? payload.rates.batch;
  return Object.keys(AXES).filter((axis) => known[axis]);
}

/**
 * Returns a function from an epoch in the log, which begins at 0, to its place on an
 * axis, or to null. Epochs have the numbers that Keras prints, from 1.
 */
export function placeOf(payload, axis) {
  if (axis === "epoch") return (epoch) => epoch + 1;
  const series = axis === "time" ? payload.times : payload.training_steps;
  if (!series?.steps.length) return () => null;
  const unit = axis === "time" ? 60 : 1;
  return (epoch) => {
    const place = between(series, epoch);
    return place === null ? null : place / unit;
  };
}

/** Returns lists of values by epoch at their places, without epochs that have none. */
export function placed(payload, axis, steps, lists) {
  const place = placeOf(payload, axis);
  const places = steps.map(place);
  if (!places.includes(null)) return { steps: places, lists };
  const kept = places.flatMap((value, i) => (value === null ? [] : [i]));
  return {
    steps: kept.map((i) => places[i]),
    lists: lists.map((values) => kept.map((i) => values[i])),
  };
}

/** Returns the value at an epoch. TensorBoard may have left out that of the epoch. */
function between({ steps, values }, epoch) {
  const i = nearestIndex(steps, epoch);
  if (steps[i] === epoch) return values[i];
  const [low, high] = steps[i] < epoch ? [i, i + 1] : [i - 1, i];
  if (low < 0 || high >= steps.length) return null;
  const share = (epoch - steps[low]) / (steps[high] - steps[low]);
  return values[low] + share * (values[high] - values[low]);
}
