import { html, svg } from "./dom.js";
import { downloads } from "./download.js";
import { ofRun, placeText } from "./readout.js";
import { createRunChart } from "./run_chart.js";
import { format, rounded } from "./scale.js";
import {
  comparisonSentence,
  MEANINGS,
  PARTS,
  scoreOf,
  scoreOn,
  scoreSentence,
} from "./score.js";
import { extent, indexAt, within } from "./series.js";
import { smoothed } from "./smooth.js";
import { placeOf } from "./axis.js";

const HEIGHT = 250;
// With more runs, the lines of the training data would cover those that matter.
const MOST_RUNS = 3;
const HOW =
  "This log has no losses and metrics. TensorBoardRates of this version writes them; an " +
  "earlier version did not.";
const DASHED = { validation: "", clean: "6 3", training: "2 3" };
const ALONE = {
  validation: "var(--ink)",
  clean: "var(--clean)",
  training: "var(--naive)",
};

/** Shows a loss or metric: on validation data, and on training data without and with dropout. */
export function createScoreView(cursor, { onZoom, onParts }) {
  const chart = createRunChart("score", cursor, { drawn: () => model, values, onZoom });
  const { readout } = chart;
  const title = html("h2");
  const parts = html("fieldset", { class: "choices", "data-testid": "parts" });
  const boxes = new Map(
    Object.entries(PARTS).map(([part, name]) => {
      const box = html("input", { type: "checkbox", value: part });
      parts.append(html("label", { title: MEANINGS[part] }, box, name));
      return [part, box];
    }),
  );
  parts.prepend(html("legend", { class: "unseen" }, "Lines"));
  const sentence = html("p", { class: "sentence", "data-testid": "score-sentence" });
  const files = downloads("losses and metrics", {
    table: () => table(model),
    charts: () => [chart.element],
  });
  const element = html(
    "section",
    { "data-testid": "score" },
    html("header", {}, title, parts, files),
    sentence,
    chart.element,
    readout,
  );
  let model = null;

  parts.addEventListener("change", () =>
    onParts([...boxes].filter(([, box]) => box.checked).map(([part]) => part)),
  );

  return {
    element,
    /** Draws `next`: entries [{name, payload, style}], metric, axis, domain and choices. */
    draw(next, width, space) {
      const { entries, metric } = next;
      const found = entries.map((entry) => ({
        ...entry,
        score: scoreOn(entry.payload, metric, next.axis),
      }));
      const shown = next.parts.length
        ? next.parts
        : Object.keys(PARTS).slice(0, entries.length > MOST_RUNS ? 1 : 3);
      model = { ...next, entries: found, shown };
      const isKnown = found.some(({ score }) => score);
      title.textContent = metric ? `Did it improve? ${metric}` : "Losses and metrics";
      for (const [part, box] of boxes) {
        const has = found.some(({ score }) => score?.values[part]);
        box.checked = shown.includes(part);
        box.parentElement.hidden = !has;
      }
      chart.element.hidden = readout.hidden = parts.hidden = files.hidden = !isKnown;
      sentence.textContent = isKnown
        ? entries.length > 1
          ? comparisonSentence(entries, metric)
          : scoreSentence(entries[0].payload, metric)
        : entries.every(({ payload }) => !payload.metrics?.length)
          ? HOW
          : `No shown run has values of ${metric}.`;
      if (!isKnown) return;
      chart.draw(content(model), width, HEIGHT, space);
    },
  };
}

function content(model) {
  const { entries, metric, shown, smoothing, domain, unit, isZoomed } = model;
  const isAlone = entries.length === 1;
  const lines = entries.flatMap(({ name, style, score }) =>
    shown
      .filter((part) => score?.values[part])
      .flatMap((part) => {
        const values = score.values[part];
        const line = {
          key: `${name}\n${part}`,
          steps: score.steps,
          colour: isAlone ? ALONE[part] : style.colour,
          dash: isAlone || part !== "validation" ? DASHED[part] : style.dash,
          named: true,
        };
        const isMain = part === "validation";
        const width = isMain ? 2.5 : 1.5;
        const isFirst = part === shown[0];
        const label = isAlone ? PARTS[part] : isFirst ? name : "";
        const raw = { ...line, name: "", values, width: 1, isFaint: true };
        const smooth = smoothed(values, smoothing);
        const main = { ...line, name: label, values: smooth, width };
        return smoothing ? [{ ...raw, key: `${raw.key}\nraw` }, main] : [main];
      }),
  );
  const seen = lines.map(({ steps, values }) => within(steps, values, domain));
  const range = rounded(extent(seen) ?? [0, 1]);
  return {
    lines,
    domain,
    range,
    unit,
    smallest: model.axis === "time" ? 0 : 1,
    title: metric,
    isZoomed,
    label:
      `Line chart of ${metric} of ${entries.length} ` +
      `${entries.length === 1 ? "run" : "runs"}, with the best epoch of each. Left and ` +
      "right move over epochs.",
    signs: (x, y) =>
      entries.flatMap(({ name, style, score }) =>
        bestSign(name, isAlone ? ALONE.validation : style.colour, score?.best, x, y),
      ),
  };
}

/** Draws a diamond at the best epoch. */
function bestSign(name, colour, best, x, y) {
  if (!best || best.place === null) return [];
  const [low, high] = x.domain;
  const [bottom, top] = y.domain;
  if (best.place < low || best.place > high) return [];
  if (best.value < bottom || best.value > top) return [];
  const [left, height] = [x(best.place), y(best.value)];
  return [
    svg(
      "g",
      { fill: colour, "data-testid": "best-sign", "data-run": name },
      svg("title", {}, `${name}: best at epoch ${best.epoch}, ${format(best.value)}`),
      svg("path", { class: "best-sign", d: `M${left},${height - 7}l6,7l-6,7l-6,-7Z` }),
    ),
  ];
}

/** Returns the values of all runs at a place of the axis. */
function values({ entries, shown, axis, metric, smoothing }, place) {
  const names = { validation: `val_${metric}`, clean: "clean", training: "noisy" };
  const texts = entries.map(({ name, score, style }) => {
    // The lines of a single run have other colours.
    const entry = { name, style: entries.length > 1 ? style : null };
    const i = score ? indexAt(score.steps, place) : -1;
    if (i < 0) return ofRun(entry, "no value here");
    const found = shown
      .filter((part) => score.values[part])
      .map((part) => {
        const value = format(score.values[part][i]);
        const smooth = smoothing
          ? ` (smoothed ${format(smoothed(score.values[part], smoothing)[i])})`
          : "";
        return `${names[part]} ${value}${smooth}`;
      });
    return ofRun(entry, found.join(", "));
  });
  return [`${placeText(axis, place)}: `, ...texts];
}

/** Returns the rows of the CSV: all values of the metric in all runs. */
function table({ entries, metric }) {
  const names = [`val_${metric}`, `clean_${metric}`, metric];
  const rows = entries.flatMap(({ name, payload }) => {
    const score = scoreOf(payload, metric);
    if (!score) return [];
    const [step, time] = ["step", "time"].map((axis) => placeOf(payload, axis));
    return score.steps.map((epoch, i) => {
      const minutes = time(epoch);
      return [
        name,
        epoch + 1,
        payload.training_steps ? step(epoch) : null,
        minutes === null ? null : Number((60 * minutes).toPrecision(7)),
        ...Object.keys(PARTS).map((part) => score[part]?.[i] ?? null),
      ];
    });
  });
  return [["run", "epoch", "training_step", "seconds", ...names], ...rows];
}
