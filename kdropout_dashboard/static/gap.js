import { format, rounded } from "./scale.js";
import { extent, indexAt, within } from "./series.js";

/** Describes the latest gap in a sentence. */
export function gapSentence(gap, target) {
  const last = gap.clean.findLastIndex((value) => value !== null);
  if (last < 0) return `No clean gap of ${gap.metric} has been measured yet.`;
  const [clean, naive] = [gap.clean[last], gap.naive[last] ?? null];
  const verdict = clean > 0 ? "above 0: overfitting" : "not above 0: no overfitting";
  const sentences = [
    `At epoch ${gap.steps[last] + 1} the clean gap of ${gap.metric} is ` +
      `${format(clean)} (${verdict}).`,
  ];
  if (naive !== null) sentences.push(`The naive gap is ${format(naive)}.`);
  if (target) sentences.push(`The target of GapController is ${targetText(target)}.`);
  return sentences.join(" ");
}

/** Returns the text of both gaps at a place of the axis. */
export function gapText({ steps, clean, naive }, place) {
  const i = indexAt(steps, place);
  if (i < 0) return "no gap is known here";
  return `clean gap ${format(clean[i])}, naive gap ${format(naive[i])}`;
}

/** Returns the range of the axis, which includes 0, the target and all values shown. */
export function gapRange(gaps, target, domain) {
  const marked = target
    ? [target.value - target.dead_band, target.value + target.dead_band]
    : [];
  const shown = gaps.flatMap(({ steps, clean, naive }) => [
    within(steps, clean, domain),
    within(steps, naive, domain),
  ]);
  return rounded(extent([...shown, marked, [0]]));
}

/** Returns the target of the controller if it is for this metric, or null. */
export function targetOf(gap, target) {
  return target?.metric === gap.metric ? target : null;
}

/** Formats a target as "0.4", or as "0.4 ± 0.05" with a dead band. */
export function targetText({ value, dead_band: band }) {
  return band > 0 ? `${format(value)} \u00b1 ${format(band)}` : format(value);
}
