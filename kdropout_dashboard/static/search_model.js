import { boundsOf, isInside, SCORE } from "./brush.js";
import { shortenTo } from "./names.js";
import { format } from "./scale.js";
import { extent } from "./series.js";

const DONE = ["COMPLETED", "STOPPED"];
const LONGEST = 40;
const WHISKER = 3;
// The axis of the score covers at least this many standard deviations of one training.
const NOISE_SHOWN = 4;

/**
 * Returns the data of the charts of a search: finished trials, best first, and axes. The
 * trials outside of the `brush` of the user are not `kept`.
 */
export function searchModel(payload, brush = []) {
  const bounds = boundsOf(brush);
  const better = payload.direction === "max" ? -1 : 1;
  const trials = payload.trials
    .filter(isFinished)
    // Trials of later rungs of late halving come first, whatever their scores.
    .sort(
      (one, other) =>
        (other.rung ?? 0) - (one.rung ?? 0) || better * (one.score - other.score),
    )
    .map((trial, i) => ({
      ...trial,
      name: shortenTo(trial.id, LONGEST),
      rank: i + 1,
      kept:
        payload.dimensions.every(({ name }, axis) =>
          isInside(bounds.get(name), trial.values[axis] ?? null),
        ) && isInside(bounds.get(SCORE), trial.score),
    }));
  const scores = scoreAxis(
    trials.map(({ score }) => score).sort((one, other) => better * (one - other)),
    better,
    payload.noise ?? 0,
  );
  return {
    run: payload.run,
    bounds,
    kept: trials.filter(({ kept }) => kept),
    noise: payload.noise ?? null,
    problem: payload.problem,
    objective: shortenTo(payload.objective, LONGEST),
    direction: payload.direction,
    trials,
    rankOf: new Map(trials.map(({ id, rank }) => [id, rank])),
    scores,
    objectives: (payload.objectives ?? []).map((objective, i) => ({
      ...objective,
      label: shortenTo(objective.name, LONGEST),
      values: trials.map(({ objectives }) => objectives?.[i] ?? null),
    })),
    front: paretoFront(trials, payload.objectives ?? []),
    dimensions: payload.dimensions.map((dimension, i) =>
      describe(dimension, trials, i, payload.marginals),
    ),
  };
}

/**
 * Returns the ids of the trials that no other trial beats in all objectives. A trial
 * without a value of each objective, or of an earlier rung of late halving, is not one.
 */
export function paretoFront(trials, objectives) {
  if (objectives.length < 2) return new Set();
  const last = Math.max(...trials.map(({ rung }) => rung ?? 0));
  const known = trials
    .filter(({ rung }) => (rung ?? 0) === last)
    .map(({ id, objectives: values }) => ({
      id,
      losses: objectives.map(({ direction }, i) => {
        const value = values?.[i] ?? null;
        return value !== null && direction === "max" ? -value : value;
      }),
    }))
    .filter(({ losses }) => !losses.includes(null));
  const beats = (one, other) =>
    one.every((loss, i) => loss <= other[i]) && one.some((loss, i) => loss < other[i]);
  const best = known.filter(
    ({ losses }) => !known.some((other) => beats(other.losses, losses)),
  );
  return new Set(best.map(({ id }) => id));
}

/** Returns true if a trial has a result to draw. */
function isFinished({ score, status }) {
  return score !== null && DONE.includes(status);
}

/** Returns a sentence such as "57 trials finished, 3 failed, 1 running." */
export function countSentence(trials) {
  const counts = new Map();
  for (const trial of trials) {
    const name = nameOf(trial);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const finished = counts.get("finished") ?? 0;
  counts.delete("finished");
  const others = [...counts].map(([name, count]) => `, ${count} ${name}`).join("");
  return `${finished} ${finished === 1 ? "trial" : "trials"} finished${others}.`;
}

/** Returns why trials have no score, such as "2 trials: The score was NaN." */
export function reasonSentences(trials) {
  const counts = new Map();
  for (const { reason } of trials) {
    if (reason) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(
    ([reason, count]) => `${count} ${count === 1 ? "trial" : "trials"}: ${reason}`,
  );
}

function nameOf(trial) {
  if (isFinished(trial)) return "finished";
  if (DONE.includes(trial.status)) return "without a score";
  return trial.status.toLowerCase();
}

/**
 * Returns the domain of the scores as best and worst. Scores far outside of the better
 * three quarters are clipped, or a diverged trial would squeeze the others into a line.
 */
function scoreAxis(ordered, better, noise) {
  if (!ordered.length) return { best: 0, worst: better, numClipped: 0 };
  const [best, last] = [ordered[0], ordered.at(-1)];
  const quarter = ordered[Math.ceil(0.75 * (ordered.length - 1))];
  const limit = quarter === best ? last : best + WHISKER * (quarter - best);
  const inside = ordered.filter((score) => better * (score - limit) <= 0);
  const lastInside = inside.at(-1);
  // Differences that are noise must not fill the axis.
  const least = best + better * NOISE_SHOWN * noise;
  const worst = better * (lastInside - least) < 0 ? least : lastInside;
  return {
    best,
    worst: worst === best ? best + better * (Math.abs(best) || 1) * 0.1 : worst,
    numClipped: ordered.length - inside.length,
  };
}

/** Returns the position of a score between the worst (0) and the best (1). */
export function quality({ best, worst }, score) {
  return Math.min(Math.max((score - worst) / (best - worst), 0), 1);
}

function describe(dimension, trials, i, marginals) {
  const { name, layers, levels } = dimension;
  const tried = trials.map(({ values }) => values[i] ?? null);
  const declared = levels.length
    ? [0, levels.length - 1]
    : [dimension.low ?? null, dimension.high ?? null];
  const [low, high] = extent([tried, declared]) ?? [0, 1];
  return {
    name,
    levels,
    label: layers.length === 1 ? layers[0] : name,
    title: layers.length > 1 ? `${name}: ${layers.join(", ")}` : name,
    domain: low < high ? [low, high] : [low - 0.5, high + 0.5],
    tried,
    marginal: marginals.find((one) => one.name === name) ?? null,
  };
}

/** Formats a value of a dimension. */
export function valueText({ levels }, value) {
  if (value === null || !levels.length) return format(value);
  return shortenTo(levels[value] ?? format(null), LONGEST);
}

/** Describes a trial: score, rank, epochs and values. */
export function trialText({ trials, dimensions, objective, objectives }, rank) {
  const { name, score, values, epochs } = trials[rank - 1];
  const parts = objectives.map(
    ({ label, values: measured }) => `${label} ${format(measured[rank - 1])}`,
  );
  const chosen = dimensions.map((dimension, i) => {
    const label = shortenTo(dimension.label, LONGEST);
    return `${label} ${valueText(dimension, values[i] ?? null)}`;
  });
  const length =
    epochs === null ? [] : [`${epochs} ${epochs === 1 ? "epoch" : "epochs"}`];
  const result = `${objective} ${format(score)}`;
  const place = `rank ${rank} of ${trials.length}`;
  return `Trial ${name}: ${[result, ...parts, place, ...length, ...chosen].join(", ")}`;
}
