import { html } from "./dom.js";
import { shortenTo } from "./names.js";

const LONGEST = 60;
const MOST = 200;

/** Creates a list of the trainings, in which the user marks those to compare. */
export function createRunChooser({ onAdd, onRemove }) {
  const count = html("span", { "data-testid": "compare-count" });
  const filter = html("input", {
    type: "search",
    "aria-label": "Show only runs whose name contains",
    placeholder: "Filter runs",
    "data-testid": "compare-filter",
  });
  const all = html("button", { type: "button" }, "Add all listed");
  const none = html("button", { type: "button" }, "Remove all listed");
  const list = html("div", { class: "run-list", role: "group", "aria-label": "Runs" });
  const element = html(
    "details",
    { class: "compare", "data-testid": "compare" },
    html("summary", {}, "Compare runs ", count),
    html("div", { class: "compare-tools" }, filter, all, none),
    list,
  );
  let names = [];
  let shown = [];
  let chosen = "";
  let drawn = "";

  const listed = () => {
    const wanted = filter.value.trim().toLowerCase();
    return names.filter((name) => name.toLowerCase().includes(wanted)).slice(0, MOST);
  };
  filter.addEventListener("input", draw);
  all.addEventListener("click", () => onAdd(listed()));
  none.addEventListener("click", () =>
    onRemove(listed().filter((name) => name !== chosen)),
  );
  list.addEventListener("change", ({ target }) =>
    (target.checked ? onAdd : onRemove)([target.value]),
  );

  function draw() {
    const found = listed();
    count.textContent = `(${shown.length} of ${names.length} shown)`;
    const state = JSON.stringify([found, shown, chosen]);
    if (state === drawn) return;
    drawn = state;
    const focused = document.activeElement?.value;
    const hadFocus = list.contains(document.activeElement);
    const boxes = found.map((name) => {
      const box = html("input", {
        type: "checkbox",
        value: name,
        checked: shown.includes(name) && "",
        // The chosen run is always in the charts.
        disabled: name === chosen && "",
      });
      return html("label", { title: name }, box, shortenTo(name, LONGEST));
    });
    list.replaceChildren(...boxes);
    if (hadFocus) {
      [...list.querySelectorAll("input")]
        .find(({ value }) => value === focused)
        ?.focus();
    }
  }

  return {
    element,
    draw(runs, next, current) {
      [names, shown, chosen] = [runs, next, current];
      element.hidden = names.length < 2;
      draw();
    },
  };
}
