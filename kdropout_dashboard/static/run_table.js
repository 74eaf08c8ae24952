import { html } from "./dom.js";
import { shortenTo } from "./names.js";
import { sample } from "./readout.js";
import { format, NONE } from "./scale.js";
import { bestOf, gapAt, lastOf, scoreOf } from "./score.js";

const LONGEST = 60;

/**
 * Creates the legend of the runs, with the best result of each. Its buttons choose the run
 * whose layers are shown, or remove a run from the charts.
 */
export function createRunTable({ onChoose, onRemove }) {
  const head = html("tr");
  const body = html("tbody");
  const element = html(
    "div",
    { class: "sideways runs", "data-testid": "run-table" },
    html("table", {}, html("thead", {}, head), body),
  );
  return {
    element,
    draw(entries, metric, chosen) {
      const isAlone = entries.length === 1;
      const better = entries
        .map(({ payload }) => scoreOf(payload, metric)?.direction)
        .find(Boolean);
      const extreme = better === "max" ? "Highest" : "Lowest";
      const titles = [
        "Run",
        `${better ? extreme : "Best"} val_${metric}`,
        "At epoch",
        "Clean gap there",
        `Last val_${metric}`,
        "Last epoch",
      ];
      head.replaceChildren(
        ...titles.map((title) => html("th", { scope: "col" }, title)),
      );
      const focused = document.activeElement?.getAttribute("aria-label");
      body.replaceChildren(
        ...entries.map((entry) => row(entry, metric, chosen, isAlone)),
      );
      // New rows would lose the focus.
      if (focused && document.activeElement === document.body) {
        [...body.querySelectorAll("button")]
          .find((button) => button.getAttribute("aria-label") === focused)
          ?.focus();
      }
    },
  };

  function row({ name, payload, style }, metric, chosen, isAlone) {
    const best = bestOf(payload, metric);
    const last = lastOf(payload, metric);
    const number = (value) => html("td", { class: "number" }, format(value, NONE));
    const choose = html(
      "button",
      {
        type: "button",
        title: name,
        "aria-pressed": String(name === chosen),
        "aria-label": `Show the layers of ${name}`,
      },
      shortenTo(name, LONGEST),
    );
    choose.addEventListener("click", () => onChoose(name));
    const remove = html(
      "button",
      { type: "button", "aria-label": `Remove ${name} from the charts` },
      "\u00d7",
    );
    remove.addEventListener("click", () => onRemove(name));
    return html(
      "tr",
      { "data-testid": "run-row", "data-run": name },
      html(
        "th",
        { scope: "row" },
        html(
          "div",
          {},
          isAlone ? null : sample(style),
          choose,
          isAlone ? null : remove,
        ),
      ),
      number(best?.value ?? null),
      number(best?.epoch ?? null),
      number(best ? gapAt(payload, metric, best.step) : null),
      number(last?.value ?? null),
      number(lastEpoch(payload)),
    );
  }
}

/** Returns the number of the last epoch with any value. */
function lastEpoch({ rates, metrics, gaps }) {
  const lists = [...(metrics ?? []), ...gaps, ...(rates.epoch ? [rates.epoch] : [])];
  const ends = lists.flatMap(({ steps }) => steps.slice(-1));
  return ends.length ? Math.max(...ends) + 1 : null;
}
