import { html, svg } from "./dom.js";
import { shortenTo } from "./names.js";
import { format } from "./scale.js";

const LONGEST = 32;

/** Creates a line for the values at the pointer, which a screen reader announces. */
export function createReadout(testid) {
  return html("p", { class: "readout", "aria-live": "polite", "data-testid": testid });
}

/** Returns a sample of a line, 22 pixels long. */
export function sample(style) {
  return svg(
    "svg",
    { class: "swatch", width: 22, height: 10, "aria-hidden": "true" },
    svg("path", {
      d: "M0,5h22",
      stroke: style?.colour ?? "var(--faint)",
      "stroke-dasharray": style?.dash || null,
      "stroke-width": style ? 2.5 : 1,
    }),
  );
}

/** Returns the values of a run at the pointer, with the run's colour if it has one. */
export function ofRun({ name, style }, text) {
  return html(
    "span",
    { class: "of-run", title: name },
    style ? sample(style) : null,
    `${shortenTo(name, LONGEST)}: ${text}`,
  );
}

/** Formats a place on an axis, such as "Epoch 7" or "2.5 minutes since the start". */
export function placeText(axis, place) {
  if (axis === "time") return `${format(place)} minutes since the start`;
  const name = axis === "epoch" ? "Epoch" : "Training step";
  return `${name} ${Number(place.toPrecision(9))}`;
}
