import { AXES } from "./axis.js";
import { html } from "./dom.js";

/** Creates the choices that apply to all charts: metric, axis, zoom and smoothing. */
export function createToolbar(onChange) {
  const metric = html("select", { id: "metric", "data-testid": "metric" });
  const metricLabel = html("label", { for: "metric" }, "Metric ", metric);
  const axis = html("fieldset", { class: "choices", "data-testid": "axis" });
  const smoothing = html("input", {
    type: "range",
    min: 0,
    max: 0.99,
    step: 0.01,
    "data-testid": "smoothing",
  });
  const weight = html("output", {}, "0");
  const from = end("From", "zoom-from");
  const to = end("to", "zoom-to");
  const reset = html("button", { type: "button", "data-testid": "zoom-all" }, "All");
  const zoom = html(
    "fieldset",
    { class: "choices" },
    html("legend", { class: "unseen" }, "Part of the axis"),
    html("label", {}, "From ", from),
    html("label", {}, "to ", to),
    reset,
  );
  const element = html(
    "div",
    { class: "toolbar", "data-testid": "toolbar" },
    metricLabel,
    axis,
    zoom,
    html("label", {}, "Smoothing ", smoothing, weight),
  );
  let full = [0, 1];

  metric.addEventListener("change", () => onChange({ metric: metric.value }));
  axis.addEventListener("change", ({ target }) =>
    onChange({ axis: target.value, zoom: null }),
  );
  smoothing.addEventListener("input", () =>
    onChange({ smoothing: Number(smoothing.value) }),
  );
  for (const input of [from, to]) {
    input.addEventListener("change", () => {
      const ends = [read(from, full[0]), read(to, full[1])];
      onChange({ zoom: ends[0] < ends[1] ? ends : null });
    });
  }
  reset.addEventListener("click", () => onChange({ zoom: null }));

  return {
    element,
    /** Shows the choices. `domain` is the part of the axis in view, `all` the whole. */
    draw({ metrics, axes, values, domain, all }) {
      full = all;
      offer(metric, metrics, values.metric);
      metricLabel.hidden = metrics.length < 2;
      offerAxes(axes, values.axis);
      smoothing.value = values.smoothing;
      weight.textContent = values.smoothing.toFixed(2);
      for (const [input, place] of [
        [from, domain[0]],
        [to, domain[1]],
      ]) {
        if (document.activeElement !== input)
          input.value = Number(place.toPrecision(6));
      }
      reset.disabled = !values.zoom;
    },
  };

  function offerAxes(axes, chosen) {
    axis.hidden = axes.length < 2;
    const inputs = [...axis.querySelectorAll("input")];
    if (inputs.map(({ value }) => value).join() !== axes.join()) {
      axis.replaceChildren(
        html("legend", {}, "Axis"),
        ...axes.map((name) => {
          const input = html("input", { type: "radio", name: "axis", value: name });
          return html("label", {}, input, AXES[name]);
        }),
      );
    }
    for (const input of axis.querySelectorAll("input")) {
      input.checked = input.value === chosen;
    }
  }
}

function end(name, testid) {
  return html("input", {
    type: "number",
    step: "any",
    "aria-label": `${name} this place of the axis`,
    "data-testid": testid,
  });
}

function read(input, otherwise) {
  return input.value === "" || !Number.isFinite(input.valueAsNumber)
    ? otherwise
    : input.valueAsNumber;
}

/** Fills a select and chooses a value. Keeps the options if the names are the same. */
function offer(select, names, chosen) {
  const known = Array.from(select.options, (option) => option.value);
  if (known.join("\n") !== names.join("\n")) {
    select.replaceChildren(
      ...names.map((name) => html("option", { value: name }, name)),
    );
  }
  if (names.includes(chosen)) select.value = chosen;
}
