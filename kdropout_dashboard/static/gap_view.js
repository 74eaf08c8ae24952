import { placed } from "./axis.js";
import { html, svg } from "./dom.js";
import { downloads } from "./download.js";
import { gapRange, gapSentence, gapText, targetOf, targetText } from "./gap.js";
import { line } from "./plot.js";
import { ofRun, placeText } from "./readout.js";
import { createRunChart } from "./run_chart.js";
import { smoothed } from "./smooth.js";

const HEIGHT = 250;
const HOW =
  "No overfitting gap was measured in this run. To measure it, put OverfittingGap " +
  "before TensorBoardRates in the callbacks of fit.";

/** Shows the clean gap and the naive gap of one metric, of one or several runs. */
export function createGapView(cursor, { onZoom }) {
  const drawn = () => (model?.entries.some(({ gap }) => gap) ? model : null);
  const chart = createRunChart("gap", cursor, { drawn, values, onZoom });
  const { readout } = chart;
  const title = html("h2", {}, "Overfitting gap");
  const sentence = html("p", { class: "sentence", "data-testid": "gap-sentence" });
  const files = downloads("overfitting gap", {
    table: () => table(model),
    charts: () => [chart.element],
  });
  const element = html(
    "section",
    { "data-testid": "gap" },
    html("header", {}, title, files),
    sentence,
    chart.element,
    readout,
  );
  let model = null;

  return {
    element,
    /** Draws `next`: entries [{name, payload, style}], metric, axis, domain and choices. */
    draw(next, width, space) {
      const { metric, axis } = next;
      const entries = next.entries.map((entry) => ({
        ...entry,
        gap: gapOn(entry.payload, metric, axis),
      }));
      model = { ...next, entries };
      title.textContent = metric ? `Overfitting gap of ${metric}` : "Overfitting gap";
      const isKnown = entries.some(({ gap }) => gap);
      chart.element.hidden = readout.hidden = files.hidden = !isKnown;
      if (!isKnown) {
        const hasOthers = entries.some(({ payload }) => payload.gaps.length);
        sentence.textContent = hasOthers
          ? `No gap of ${metric} was measured. Choose another metric.`
          : HOW;
        return;
      }
      sentence.textContent = sentences(entries, metric);
      chart.draw(content(model), width, HEIGHT, space);
    },
  };
}

/** Returns both gaps of a metric on an axis, or null. */
function gapOn(payload, metric, axis) {
  const gap = payload.gaps.find((one) => one.metric === metric);
  if (!gap) return null;
  const { steps, lists } = placed(payload, axis, gap.steps, [gap.clean, gap.naive]);
  return { metric, steps, clean: lists[0], naive: lists[1] };
}

function sentences(entries, metric) {
  const known = entries.filter(({ gap }) => gap);
  const texts = known.map(({ payload }) => {
    const gap = payload.gaps.find((one) => one.metric === metric);
    const text = gapSentence(gap, targetOf(gap, payload.target));
    return text;
  });
  if (entries.length > 1) return "Thick lines are clean gaps, thin lines naive gaps.";
  return texts[0];
}

function content({ entries, metric, domain, unit, axis, smoothing, isZoomed }) {
  const known = entries.filter(({ gap }) => gap);
  const isAlone = entries.length === 1;
  const target = isAlone ? targetOf(known[0].gap, known[0].payload.target) : null;
  const lines = known.flatMap(({ name, style, gap }) => {
    const { steps } = gap;
    const shared = { steps, named: true };
    const both = [
      {
        ...shared,
        key: `${name}\nnaive`,
        name: isAlone ? "naive" : "",
        values: gap.naive,
        colour: isAlone ? "var(--naive)" : style.colour,
        dash: "5 4",
        width: isAlone ? 1.5 : 1,
      },
      {
        ...shared,
        key: `${name}\nclean`,
        name: isAlone ? "clean" : name,
        values: gap.clean,
        colour: isAlone ? "var(--clean)" : style.colour,
        dash: isAlone ? "" : style.dash,
        width: 2.75,
      },
    ];
    if (!smoothing) return both;
    return both.flatMap((one) => [
      { ...one, key: `${one.key}\nraw`, name: "", width: 1, isFaint: true },
      { ...one, values: smoothed(one.values, smoothing) },
    ]);
  });
  const count = known.length === 1 ? "1 run" : `${known.length} runs`;
  return {
    lines,
    domain,
    range: gapRange(
      known.map(({ gap }) => gap),
      target,
      domain,
    ),
    unit,
    smallest: axis === "time" ? 0 : 1,
    isZoomed,
    title: `gap of ${metric}`,
    label:
      `Line chart: clean and naive gap of ${metric} of ${count}. Arrow keys move over ` +
      "epochs.",
    marks: (x, y) => [...targetMarks(target, x, y), zeroLine(x, y)],
  };
}

function zeroLine(x, y) {
  return svg("line", { ...line(x.range[0], y(0), x.range[1], y(0)), class: "zero" });
}

function targetMarks(target, x, y) {
  if (!target) return [];
  const [left, right] = x.range;
  const { value, dead_band: band } = target;
  const middle = y(value);
  const [high, low] = [y(value + band), y(value - band)];
  const size = { x: left, y: high, width: right - left, height: low - high };
  return [
    svg("rect", { ...size, class: "band" }),
    svg("line", { ...line(left, middle, right, middle), class: "target" }),
    svg("text", { x: left + 6, y: middle - 5 }, `target ${targetText(target)}`),
  ];
}

/** Returns the values of all runs at a place of the axis. */
function values({ entries, axis, metric }, place) {
  const where = placeText(axis, place);
  if (entries.length === 1) {
    const text = gapText(entries[0].gap, place).replace("gap", `gap of ${metric}`);
    return [`${where}: ${text}`];
  }
  const known = entries.filter(({ gap }) => gap);
  return [
    `${where}: `,
    ...known.map((entry) => ofRun(entry, gapText(entry.gap, place))),
  ];
}

/** Returns the rows of the CSV: all gaps of the metric in all runs. */
function table({ entries, metric }) {
  const rows = entries.flatMap(({ name, payload }) => {
    const gap = payload.gaps.find((one) => one.metric === metric);
    if (!gap) return [];
    return gap.steps.map((epoch, i) => [name, epoch + 1, gap.clean[i], gap.naive[i]]);
  });
  return [["run", "epoch", `gap_${metric}`, `naive_gap_${metric}`], ...rows];
}
