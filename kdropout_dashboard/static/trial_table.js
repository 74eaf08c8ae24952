import { html } from "./dom.js";
import { shortenTo } from "./names.js";
import { format, NONE } from "./scale.js";
import { valueText } from "./search_model.js";

const SHOWN = 10;

/** Creates a table of the best trials. A row highlights its trial in the charts. */
export function createTrialTable(cursor) {
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
    draw(model) {
      const best = model.trials.slice(0, SHOWN);
      head.replaceChildren(
        ...["Rank", "Trial", model.objective, "Epochs"].map((text) =>
          heading(text, text),
        ),
        ...model.dimensions.map(({ label, title }) => heading(label, title)),
      );
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

function heading(text, title) {
  return html("th", { scope: "col", title }, shortenTo(text, 24));
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
