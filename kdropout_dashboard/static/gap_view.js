import { html, svg } from "./dom.js";
import { gapRange, gapReadout, gapSentence, targetOf, targetText } from "./gap.js";
import { createLineChart } from "./line_chart.js";
import { line } from "./plot.js";
import { epochs } from "./training_model.js";
import { stepDomain } from "./series.js";

const HEIGHT = 250;
const HOW =
  "No overfitting gap was measured in this run. To measure it, put OverfittingGap " +
  "before TensorBoardRates in the callbacks of fit.";

/** Shows the clean gap and the naive gap of one metric. */
export function createGapView(cursor) {
  const chart = createLineChart("gap-chart", {
    onPoint: (step) => cursor.move({ clock: "epoch", step, layer: null }),
    onLeave: cursor.clear,
    onChoose: () => {},
  });
  const metric = html("select", { id: "metric", "data-testid": "metric" });
  const choice = html("label", { for: "metric" }, "Metric ", metric);
  const sentence = html("p", { class: "sentence", "data-testid": "gap-sentence" });
  const readout = html("p", {
    class: "readout",
    "aria-live": "polite",
    "data-testid": "gap-readout",
  });
  const element = html(
    "section",
    {},
    html("header", {}, html("h2", {}, "Overfitting gap"), choice),
    sentence,
    chart.element,
    readout,
  );
  let drawn = null;
  let gap = null;

  metric.addEventListener("change", () => drawn && draw(...drawn));
  cursor.listen(follow);

  function follow() {
    const { clock, step } = cursor.place ?? {};
    const known = gap !== null && clock === "epoch" && step !== null;
    chart.follow(known ? step : null, null);
    readout.textContent = known ? gapReadout(gap, step) : "";
  }

  function draw(payload, width, space) {
    drawn = [payload, width, space];
    offer(
      metric,
      payload.gaps.map((one) => one.metric),
    );
    gap = payload.gaps.find((one) => one.metric === metric.value) ?? null;
    choice.hidden = payload.gaps.length < 2;
    chart.element.hidden = readout.hidden = gap === null;
    if (gap === null) {
      sentence.textContent = HOW;
      return;
    }
    const target = targetOf(gap, payload.target);
    sentence.textContent = gapSentence(gap, target);
    const domain = stepDomain(epochs(payload));
    chart.draw(content(gap, target, domain), width, HEIGHT, space);
    follow();
  }

  return { element, draw };
}

/** Fills a select and keeps its value. Does nothing if the names are the same. */
function offer(select, names) {
  const known = Array.from(select.options, (option) => option.value);
  if (known.join("\n") === names.join("\n")) return;
  const { value } = select;
  select.replaceChildren(...names.map((name) => html("option", { value: name }, name)));
  if (names.includes(value)) select.value = value;
}

function content(gap, target, domain) {
  const both = `clean and naive gap of ${gap.metric} over ${gap.steps.length} epochs`;
  return {
    steps: gap.steps,
    lines: [
      {
        key: "naive",
        name: "naive",
        values: gap.naive,
        colour: "var(--naive)",
        dash: "5 4",
        width: 1.5,
        named: true,
      },
      {
        key: "clean",
        name: "clean",
        values: gap.clean,
        colour: "var(--clean)",
        dash: "",
        width: 2.75,
        named: true,
      },
    ],
    domain,
    range: gapRange(gap, target),
    unit: "epoch",
    title: `gap of ${gap.metric}`,
    label: `Line chart: ${both}. Arrow keys move over epochs.`,
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
