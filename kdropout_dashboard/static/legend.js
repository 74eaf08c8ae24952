import { css } from "./colour.js";
import { svg } from "./dom.js";

const WIDTH = 160;
const CELLS = 40;
const HEIGHT = 10;

/** Draws a ramp with a number at both ends and in the middle. */
export function legend(colour, labels, name) {
  const cells = Array.from({ length: CELLS }, (_, i) =>
    svg("rect", {
      x: (i * WIDTH) / CELLS,
      // Neighbours overlap a little, or hairlines would be visible between them.
      width: WIDTH / CELLS + 0.5,
      height: HEIGHT,
      fill: css(colour(i / (CELLS - 1))),
    }),
  );
  const anchors = ["start", "middle", "end"];
  const numbers = labels.map((label, i) =>
    svg(
      "text",
      { x: (i * WIDTH) / 2, y: HEIGHT + 13, "text-anchor": anchors[i] },
      label,
    ),
  );
  const size = { width: WIDTH, height: HEIGHT + 16, class: "legend", role: "img" };
  const text = `${name}: from ${labels[0]} to ${labels.at(-1)}`;
  return svg("svg", { ...size, "aria-label": text }, ...cells, ...numbers);
}
