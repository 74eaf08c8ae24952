import { placed, placeOf } from "./axis.js";
import { format } from "./scale.js";
import { latest } from "./series.js";

/** The values of a metric, by their names in the data, with their names on the page. */
export const PARTS = {
  validation: "validation",
  clean: "dropout off",
  training: "dropout on",
};

/** The meanings of these names. */
export const MEANINGS = {
  validation: "On the validation data",
  clean: "On the training data, measured with dropout off",
  training: "On the training data, as Keras measures it, with dropout on",
};

/** Returns the names of the metrics of several trainings, "loss" first. */
export function metricNames(payloads) {
  const names = new Set(
    payloads.flatMap(({ metrics, gaps }) => [
      ...(metrics ?? []).map(({ metric }) => metric),
      ...gaps.map(({ metric }) => metric),
    ]),
  );
  const first = names.has("loss") ? ["loss"] : [];
  return [...first, ...[...names].filter((name) => name !== "loss")];
}

/** Returns the values of a metric in a training, or null. */
export function scoreOf(payload, metric) {
  return (payload.metrics ?? []).find((one) => one.metric === metric) ?? null;
}

/** Returns the values on an axis, and their best epoch. */
export function scoreOn(payload, metric, axis) {
  const score = scoreOf(payload, metric);
  if (!score) return null;
  const parts = Object.keys(PARTS).filter((part) => score[part]);
  const { steps, lists } = placed(
    payload,
    axis,
    score.steps,
    parts.map((part) => score[part]),
  );
  const values = Object.fromEntries(parts.map((part, i) => [part, lists[i]]));
  return { steps, values, best: bestOf(payload, metric, axis) };
}

/** Returns the best epoch by the validation data, or null if the best is not known. */
export function bestOf(payload, metric, axis = "epoch") {
  const score = scoreOf(payload, metric);
  if (!score?.validation || !score.direction) return null;
  const better = score.direction === "max" ? -1 : 1;
  let best = -1;
  score.validation.forEach((value, i) => {
    if (value === null) return;
    if (best < 0 || better * (value - score.validation[best]) < 0) best = i;
  });
  if (best < 0) return null;
  const epoch = score.steps[best];
  return {
    epoch: epoch + 1,
    step: epoch,
    value: score.validation[best],
    place: placeOf(payload, axis)(epoch),
  };
}

/** Returns the last value of the validation data, with its epoch, or null. */
export function lastOf(payload, metric) {
  const score = scoreOf(payload, metric);
  const i = score?.validation?.findLastIndex((value) => value !== null) ?? -1;
  return i < 0 ? null : { epoch: score.steps[i] + 1, value: score.validation[i] };
}

/** Returns the clean gap at an epoch of the log, or null. */
export function gapAt(payload, metric, step) {
  const gap = payload.gaps.find((one) => one.metric === metric);
  const i = gap?.steps.indexOf(step) ?? -1;
  return i < 0 ? null : gap.clean[i];
}

/** Describes the best epoch of one training. */
export function scoreSentence(payload, metric) {
  const score = scoreOf(payload, metric);
  if (!score) return `This run has no values of ${metric}.`;
  const last = lastOf(payload, metric);
  if (!last) {
    const noisy = latest(score.training ?? []);
    const now = noisy === null ? "" : ` The training ${metric} is ${format(noisy)}.`;
    return `This run has no validation data for ${metric}.${now}`;
  }
  const name = `val_${metric}`;
  const now = `At epoch ${last.epoch}, the last one, ${name} is ${format(last.value)}.`;
  const best = bestOf(payload, metric);
  if (!best) return `${now} Whether a lower value is better is not known.`;
  const extreme = score.direction === "max" ? "highest" : "lowest";
  if (best.epoch === last.epoch) {
    return `${name} is ${extreme} at the last epoch, ${last.epoch}: ${format(best.value)}.`;
  }
  return `${name} is ${extreme} at epoch ${best.epoch}: ${format(best.value)}. ${now}`;
}

/** Describes which of several trainings has the best value. */
export function comparisonSentence(entries, metric) {
  const known = entries
    .map(({ name, payload }) => ({
      name,
      best: bestOf(payload, metric),
      direction: scoreOf(payload, metric)?.direction,
    }))
    .filter(({ best }) => best);
  if (known.length < 2) {
    return `Fewer than two of the runs have a best value of val_${metric}.`;
  }
  const better = known[0].direction === "max" ? -1 : 1;
  known.sort((one, other) => better * (one.best.value - other.best.value));
  const [first, second] = known;
  const extreme = better < 0 ? "highest" : "lowest";
  return (
    `${first.name} has the ${extreme} val_${metric}: ${format(first.best.value)} at ` +
    `epoch ${first.best.epoch}. Next is ${second.name} with ` +
    `${format(second.best.value)} at epoch ${second.best.epoch}. Each line is one ` +
    "training, so a difference may be luck."
  );
}
