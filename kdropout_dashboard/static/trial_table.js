import { html } from "./dom.js";
import { shortenTo } from "./names.js";
import { format, NONE } from "./scale.js";
import { valueText } from "./search_model.js";
import { sorted, sortHeading } from "./sort.js";

const SHOWN = 10;
const LONGEST = 24;

/**
 * Creates a table of the best trials, or of the first ones in another order. A row
 * highlights its trial in the charts.
 */
export function createTrialTable(cursor, onSort) {
  const head = html("tr");
  const body = html("tbody");
  const element = html(
    "div",
    { class: "sideways", "data-testid": "trial-table" },
    html("table", {}, html("thead", {}, head), body),
  );
  let rows = new Map();
  let pointed = null;

  cursor.listen(follow);

  function follow() {
    pointed?.classList.remove("pointed");
    pointed = rows.get(cursor.place?.trial) ?? null;
    pointed?.classList.add("pointed");
  }

  function addRow(trial) {
    const element = html("tr", { "data-testid": "trial-row", tabindex: "0" });
    const point = () => cursor.move({ trial: trial.id });
    for (const moment of ["pointerenter", "focus"])
      element.addEventListener(moment, point);
    for (const moment of ["pointerleave", "blur"]) {
      element.addEventListener(moment, cursor.clear);
    }
    return element;
  }

  return {
    element,
    draw(model, sort) {
      const columns = columnsOf(model);
      const valueOf = (trial, id) =>
        columns.find((column) => column.id === id)?.of(trial);
      const best = sorted(model.kept, sort, valueOf).slice(0, SHOWN);
      const focused = head.contains(document.activeElement)
        ? document.activeElement.dataset.sort
        : null;
      head.replaceChildren(
        ...columns.map((column) => sortHeading(column, sort, onSort)),
      );
      if (focused) head.querySelector(`[data-sort="${CSS.escape(focused)}"]`)?.focus();
      rows = new Map(
        best.map((trial) => [trial.id, rows.get(trial.id) ?? addRow(trial)]),
      );
      best.forEach((trial) =>
        rows.get(trial.id).replaceChildren(...cells(model, trial)),
      );
      const shown = [...rows.values()];
      const unchanged =
        shown.length === body.children.length &&
        shown.every((row, i) => row === body.children[i]);
      if (!unchanged) body.replaceChildren(...shown);
      follow();
    },
  };
}

/** Returns the columns: their ids in the address, titles, and values of a trial. */
function columnsOf({ objective, dimensions }) {
  return [
    { id: "rank", title: "Rank", of: ({ rank }) => rank },
    { id: "trial", title: "Trial", of: ({ id }) => id },
    { id: "score", title: shortenTo(objective, LONGEST), of: ({ score }) => score },
    { id: "epochs", title: "Epochs", of: ({ epochs }) => epochs },
    ...dimensions.map(({ name, label, title, tried }) => ({
      id: `value ${name}`,
      title: shortenTo(label, LONGEST),
      hint: title,
      of: ({ rank }) => tried[rank - 1],
    })),
  ];
}

/** Returns the rows of the CSV: all trials that match the filter, best first. */
export function trialRows({ kept, dimensions, objective }) {
  return [
    ["rank", "trial", objective, "epochs", ...dimensions.map(({ name }) => name)],
    ...kept.map(({ rank, id, score, epochs, values }) => [
      rank,
      id,
      score,
      epochs,
      ...dimensions.map(({ levels }, i) => {
        const value = values[i] ?? null;
        return value !== null && levels.length ? levels[value] : value;
      }),
    ]),
  ];
}

function cells({ dimensions }, { rank, id, score, epochs, values }) {
  const number = (text) => html("td", { class: "number" }, text);
  return [
    number(String(rank)),
    html("th", { scope: "row", title: id }, shortenTo(id, 24)),
    number(format(score, NONE)),
    number(format(epochs, NONE)),
    ...dimensions.map((dimension, i) =>
      number(valueText(dimension, values[i] ?? null)),
    ),
  ];
}
