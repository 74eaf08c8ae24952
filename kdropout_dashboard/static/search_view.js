import { ramp } from "./colour.js";
import { createCursor } from "./cursor.js";
import { html } from "./dom.js";
import { downloads } from "./download.js";
import { createGains } from "./gains.js";
import { createHistoryChart } from "./history_chart.js";
import { createImportanceChart } from "./importance_chart.js";
import { legend } from "./legend.js";
import { createMarginals } from "./marginals.js";
import { createParallel, FAINTEST } from "./parallel.js";
import { createPareto } from "./pareto.js";
import { format } from "./scale.js";
import {
  countSentence,
  reasonSentences,
  searchModel,
  trialText,
} from "./search_model.js";
import { currentTheme } from "./theme.js";
import { createTrialFilter } from "./trial_filter.js";
import { createTrialTable, trialRows } from "./trial_table.js";

const HINT =
  "Point at a line, or use the arrow keys, to read a trial. Drag along an axis to filter.";
const IMPORTANCE =
  "The importance of a rate is how much worse a random forest predicts the scores of " +
  "unseen trials (R\u00b2) if the values of that rate are shuffled, with its standard " +
  "deviation.";
const HISTORY =
  "Each dot is a trial, by its number. The line is the best score so far. A late rise " +
  "shows that more trials may help; a long flat end shows that they may not.";
const EMPTY = "No trial of this search has finished with a score yet.";
const MOST_REASONS = 3;
const FRONT =
  "trials are the front, drawn as diamonds: no other trial is better in one objective " +
  "without being worse in another. Each value is that of one trial, so the front is " +
  "partly luck.";
const NO_MARGINALS =
  "Each dot is a trial. When the search has ended, a line shows the expected score for " +
  "each value.";
const MARGINALS =
  "Each dot is a trial. The line is the score that a random forest expects for a value, " +
  "averaged over the other values of the trials. The band is one standard deviation " +
  "over the trees.";

/** Shows a search: its trials, the score by each rate, and the best trials. */
export function createSearchView(settings) {
  const cursor = createCursor();
  const onBrush = (brush) => {
    cursor.clear();
    settings.set({ brush });
    draw();
  };
  const parallel = createParallel(cursor, onBrush);
  const filter = createTrialFilter(onBrush);
  const history = createHistoryChart(cursor);
  const importance = createImportanceChart();
  const marginals = createMarginals(cursor);
  const pareto = createPareto(cursor);
  const table = createTrialTable(cursor, (sort) => {
    settings.set({ sort });
    draw();
  });
  const gains = createGains();
  const confirmation = section("Confirmation", null, gains.element);
  const facts = html("p", { class: "facts", "data-testid": "facts" });
  const note = html("p", { class: "note", "data-testid": "note" });
  const key = html("div", { class: "key" });
  const readout = html("p", {
    class: "readout",
    "aria-live": "polite",
    "data-testid": "trial-readout",
  });
  const explained = html("p", { class: "sentence" });
  const tradeOff = html("p", { class: "sentence" });
  const shuffled = html("p", { class: "sentence" });
  const spread = html("p", { class: "sentence", "data-testid": "noise" });
  const files = (name, element, testid) => ({
    files: downloads(name, {
      table: () => trialRows(model),
      charts: () => [...element.querySelectorAll(`[data-testid=${testid}]`)],
    }),
  });
  const course = html("div", {}, history.element);
  const objectives = section(
    "Pareto front",
    files("pareto", pareto.element, "pareto"),
    tradeOff,
    pareto.element,
  );
  const important = section(
    "Importance of each rate",
    null,
    shuffled,
    importance.element,
  );
  const sections = [
    section(
      "Trials",
      { key, ...files("trials", parallel.element, "parallel") },
      spread,
      filter.element,
      readout,
      parallel.element,
    ),
    objectives,
    section(
      "Best score so far",
      files("history", course, "history"),
      html("p", { class: "sentence" }, HISTORY),
      course,
    ),
    important,
    section(
      "Score by each rate",
      files("scores by rate", marginals.element, "marginal"),
      explained,
      marginals.element,
    ),
    section("Best scores of the search", null, table.element),
  ];
  const answer = html("div", { class: "answer", "data-testid": "answer" });
  const above = html("div", { class: "above" }, facts);
  const element = html(
    "main",
    { class: "search", "data-testid": "search" },
    answer,
    confirmation,
    above,
    note,
    ...sections,
  );
  let payload = null;
  let model = null;

  cursor.listen(follow);

  function follow() {
    const rank = model?.rankOf.get(cursor.place?.trial);
    readout.textContent = rank ? trialText(model, rank) : HINT;
  }

  function draw() {
    const width = above.clientWidth;
    if (!payload || !width) return;
    const { brush, sort } = settings.values;
    model = searchModel(payload, brush);
    const { trials, scores, objective } = model;
    answer.replaceChildren(...answerParts(payload.answer ?? {}));
    answer.hidden = !answer.children.length;
    confirmation.hidden = !payload.answer?.gains;
    if (!confirmation.hidden) gains.draw(payload.answer.gains);
    facts.textContent = describe(model, payload);
    note.textContent = trials.length ? clipped(scores, objective) : empty(payload);
    note.hidden = !note.textContent;
    sections.forEach((one) => (one.hidden = !trials.length));
    if (!trials.length) return;
    objectives.hidden = model.objectives.length < 2;
    const colour = ramp(currentTheme());
    key.replaceChildren(
      `${objective}, worst to best`,
      legend(
        (share) => colour(FAINTEST + (1 - FAINTEST) * share),
        [scores.worst, (scores.worst + scores.best) / 2, scores.best].map((score) =>
          format(score),
        ),
        "Colours of the trials",
      ),
    );
    const fitted = model.dimensions.some(({ marginal }) => marginal);
    const doubt = fitted && payload.problem ? ` UNRELIABLE: ${payload.problem}.` : "";
    explained.textContent = `${fitted ? MARGINALS : NO_MARGINALS} Better is up.${doubt}`;
    const measured = payload.importance ?? [];
    important.hidden = !measured.length;
    if (measured.length) {
      shuffled.textContent = `${IMPORTANCE}${doubt}`;
      importance.draw(measured, model);
    }
    spread.textContent = noiseSentence(model);
    filter.draw(model);
    history.draw(model, width);
    parallel.draw(model, width);
    if (!objectives.hidden) {
      tradeOff.textContent = `${model.front.size} of ${trials.length} ${FRONT}`;
      pareto.draw(model, width);
    }
    marginals.draw(model, width);
    table.draw(model, sort);
    reserve(readout, trialText(model, 1));
    follow();
  }

  return {
    element,
    draw,
    show(next) {
      if (payload?.run !== next.run) cursor.clear();
      payload = next;
      draw();
    },
  };
}

/** Reserves the height of a text, or the charts below would move under the pointer. */
function reserve(readout, text) {
  readout.style.minHeight = "";
  readout.textContent = text;
  readout.style.minHeight = `${readout.offsetHeight}px`;
}

/** Creates a section. `beside` has the key and the downloads beside its title, or null. */
function section(title, beside, ...children) {
  const { key = null, files = null } = beside ?? {};
  const header = html("header", {}, html("h2", {}, title), key, files);
  return html("section", {}, header, ...children);
}

/** Describes how much of the differences between trials may be noise. */
function noiseSentence({ noise, scores, trials, objective }) {
  if (noise === null) {
    return (
      `How much ${objective} varies between trainings with the same rates was not ` +
      "measured, so small differences may be noise."
    );
  }
  const within = trials.filter(
    ({ score }) => Math.abs(score - scores.best) <= 2 * noise,
  ).length;
  return (
    `By chance, the ${objective} of a trial varies with a standard deviation of about ` +
    `${format(noise)}. ${within} of ${trials.length} trials are within two of these of ` +
    "the best."
  );
}

/** Shows the answer of the report of a search, which need not be the best trial. */
function answerParts({ verdict, advice, code, next_step: next }) {
  const parts = [
    verdict && html("p", { "data-testid": "verdict" }, verdict),
    advice && html("p", { "data-testid": "advice" }, advice),
    code && html("pre", { "data-testid": "code", tabindex: "0" }, code),
    next && html("p", { "data-testid": "next-step" }, `Next: ${next}`),
  ];
  return parts.filter(Boolean);
}

function describe({ trials, objective, direction }, payload) {
  const facts = [countSentence(payload.trials)];
  if (trials.length) {
    const better = direction === "max" ? "highest" : "lowest";
    const [{ name, score }] = trials;
    const result = `${objective} of the search: ${format(score)}`;
    facts.push(`Trial ${name} has the ${better} ${result}.`);
  }
  return facts.join(" ");
}

function empty({ trials }) {
  return [EMPTY, ...reasonSentences(trials).slice(0, MOST_REASONS)].join(" ");
}

function clipped({ numClipped, worst }, objective) {
  if (!numClipped) return "";
  const [trials, lie] =
    numClipped === 1 ? ["1 trial", "lies"] : [`${numClipped} trials`, "lie"];
  return (
    `${trials} with ${objective} worse than ${format(worst)} ${lie} at the lower ` +
    "edge of the charts."
  );
}
