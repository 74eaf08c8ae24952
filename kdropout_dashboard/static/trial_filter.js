import { SCORE, withBounds } from "./brush.js";
import { html } from "./dom.js";
import { shortenTo } from "./names.js";

const LONGEST = 40;

/** Creates fields with the marked part of each axis, the same as marking it in a chart. */
export function createTrialFilter(onBrush) {
  const count = html("span", { "data-testid": "kept-count", role: "status" });
  const all = html(
    "button",
    { type: "button", "data-testid": "brush-clear" },
    "Show all trials",
  );
  const fields = html("div", { class: "filter-fields" });
  const element = html(
    "details",
    { class: "compare", "data-testid": "trial-filter" },
    html("summary", {}, "Filter trials ", count),
    fields,
    html("div", { class: "compare-tools" }, all),
  );
  let drawn = "";

  all.addEventListener("click", () => onBrush([]));

  return {
    element,
    draw({ trials, kept, dimensions, bounds, objective }) {
      count.textContent =
        kept.length < trials.length ? `(${kept.length} of ${trials.length} match)` : "";
      all.disabled = !bounds.size;
      const axes = [
        ...dimensions.map(({ name, label, levels }) => ({ name, label, levels })),
        { name: SCORE, label: objective, levels: [] },
      ];
      const state = JSON.stringify([axes, [...bounds]]);
      if (state === drawn) return;
      drawn = state;
      const focused = document.activeElement?.getAttribute("aria-label");
      fields.replaceChildren(...axes.map((axis) => field(axis, bounds)));
      if (focused) {
        [...fields.querySelectorAll("input, select")]
          .find((one) => one.getAttribute("aria-label") === focused)
          ?.focus();
      }
    },
  };

  function field(axis, bounds) {
    const ends = bounds.get(axis.name);
    const label = shortenTo(axis.label, LONGEST);
    const inputs = axis.levels.length
      ? [levels(axis, label, ends, bounds)]
      : numbers(axis, label, ends, bounds);
    return html("div", { class: "filter-field" }, html("span", {}, label), ...inputs);
  }

  function numbers({ name }, label, ends, bounds) {
    const inputs = ["from", "to"].map((end, i) =>
      html("input", {
        type: "number",
        step: "any",
        value: Number.isFinite(ends?.[i]) ? ends[i] : null,
        "aria-label": `${label} ${end}`,
      }),
    );
    const read = ({ value, valueAsNumber }, otherwise) =>
      value === "" ? otherwise : valueAsNumber;
    for (const input of inputs) {
      input.addEventListener("change", () => {
        const isEmpty = inputs.every(({ value }) => value === "");
        const next = [read(inputs[0], -Infinity), read(inputs[1], Infinity)];
        onBrush(withBounds(bounds, name, isEmpty ? null : next));
      });
    }
    return [inputs[0], "to", inputs[1]];
  }

  function levels({ name, levels: known }, label, ends, bounds) {
    const options = ["any", ...known].map((level, i) =>
      html("option", { value: i }, shortenTo(level, LONGEST)),
    );
    const select = html("select", { "aria-label": label }, ...options);
    const marked = ends
      ? known.map((_, i) => i).filter((i) => i >= ends[0] && i <= ends[1])
      : [];
    select.selectedIndex = marked.length === 1 ? marked[0] + 1 : ends ? -1 : 0;
    select.addEventListener("change", () => {
      const level = select.selectedIndex - 1;
      onBrush(withBounds(bounds, name, level < 0 ? null : [level, level]));
    });
    return select;
  }
}
