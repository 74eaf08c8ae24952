import { svg } from "./dom.js";
import { listenToKeys, moved } from "./keyboard.js";
import { linePath } from "./line_path.js";
import { labels } from "./names.js";
import { BESIDE, createPlot, hide, line, show, xAxis, yAxis } from "./plot.js";
import { linear } from "./scale.js";
import { nearestIndex } from "./series.js";
import { spread } from "./spread.js";

const LABEL = 14;

/**
 * Creates a chart of lines over steps. It reports the place of the pointer as (step, key
 * of the nearest line). `follow` moves its cursor.
 */
export function createLineChart(testid, { onPoint, onLeave, onChoose }) {
  const plot = createPlot(testid);
  const upright = svg("line", { class: "cursor" });
  const thick = svg("path", { class: "thick" });
  const dot = svg("circle", { class: "dot", r: 4 });
  plot.overlay.append(upright, thick, dot);
  [upright, thick, dot].forEach(hide);
  let drawn = null;
  let place = { step: null, key: null };

  const point = (column, key) => onPoint(drawn.steps[column], key);
  plot.element.addEventListener("pointermove", (event) => {
    if (!drawn?.steps.length) return;
    const [left, top] = plot.place(event);
    const column = nearestIndex(drawn.steps, drawn.x.invert(left));
    point(column, nearestLine(drawn, column, top));
  });
  plot.element.addEventListener("pointerleave", onLeave);
  plot.element.addEventListener("click", onChoose);
  listenToKeys(plot.element, {
    move(byColumn, byRow) {
      if (!drawn?.steps.length) return;
      const { steps, lines } = drawn;
      const column = place.step === null ? -1 : nearestIndex(steps, place.step);
      const row = lines.findIndex(({ key }) => key === place.key);
      const next = lines[moved(row, byRow, lines.length)];
      point(moved(column, byColumn, steps.length), next?.key ?? null);
    },
    jump(toEnd) {
      if (drawn?.steps.length) point(toEnd ? drawn.steps.length - 1 : 0, place.key);
    },
    clear: onLeave,
    choose: onChoose,
  });

  function follow(step, key) {
    place = { step, key };
    if (!drawn) return;
    const { x, y, steps, lines, paths } = drawn;
    if (step === null) hide(upright);
    else show(upright, line(x(step), y.range[1], x(step), y.range[0]));
    const row = lines.findIndex((candidate) => candidate.key === key);
    [thick, dot].forEach(hide);
    if (row < 0) return;
    const { colour = "var(--ink)", dash = "" } = lines[row].named ? lines[row] : {};
    const { line: d, dots } = paths[row];
    show(thick, { d: d + dots, stroke: colour, "stroke-dasharray": dash });
    const column = step === null ? -1 : nearestIndex(steps, step);
    const value = lines[row].values[column] ?? null;
    if (value !== null) show(dot, { cx: x(steps[column]), cy: y(value), fill: colour });
  }

  return {
    element: plot.element,
    follow,
    /**
     * Draws `content`: steps, lines [{key, name, values, colour, dash, width, named}],
     * domain, range, unit, title, label (for screen readers) and marks (a function from
     * the scales to SVG elements below the lines).
     */
    draw(content, width, height, space) {
      const x = linear(content.domain, [space.left, width - space.right]);
      const y = linear(content.range, [height - space.bottom, space.top]);
      const { steps, lines } = content;
      const paths = lines.map(({ values }) => linePath(steps, values, x, y));
      drawn = { x, y, steps, lines, paths };
      plot.resize(width, height);
      plot.element.setAttribute("aria-label", content.label);
      plot.base.replaceChildren(
        background(x, y),
        yAxis(y, x.range, content.title),
        xAxis(x, y.range[0], content.unit, { smallest: 1 }),
        ...(content.marks?.(x, y) ?? []),
        ...inFront(lines).map((row) => drawLine(lines[row], paths[row])),
        ...endLabels(drawn, space.right),
      );
      follow(place.step, place.key);
    },
  };
}

function background(x, y) {
  const [left, right] = x.range;
  const [bottom, top] = y.range;
  const size = { x: left, y: top, width: right - left, height: bottom - top };
  return svg("rect", { ...size, class: "area" });
}

/** Sorts lines so that those with a name are drawn last, above the grey ones. */
function inFront(lines) {
  const rows = lines.map((_, row) => row);
  return [
    ...rows.filter((row) => !lines[row].named),
    ...rows.filter((row) => lines[row].named),
  ];
}

function drawLine({ key, colour, dash, width, named }, { line: d, dots }) {
  const style = { stroke: colour, "stroke-width": width };
  return svg(
    "g",
    { class: named ? "line" : "line faint", "data-line": key },
    svg("path", { ...style, d, "stroke-dasharray": dash || null }),
    svg("path", { ...style, d: dots, class: "alone" }),
  );
}

/** Draws the names of lines next to their last values. */
function endLabels({ x, y, lines }, room) {
  const ends = lines
    .filter(({ named }) => named)
    .map((one) => ({
      ...one,
      last: one.values.findLastIndex((value) => value !== null),
    }))
    .filter(({ last }) => last >= 0);
  const names = labels(
    ends.map(({ name }) => name),
    room - BESIDE.right,
  );
  const [bottom, top] = y.range;
  const wanted = ends.map(({ values, last }) => y(values[last]));
  const places = spread(wanted, LABEL, top - LABEL / 2, bottom);
  return ends.flatMap(({ name, colour }, i) => {
    if (places[i] < top - LABEL) return [];
    const edge = x.range[1];
    return [
      svg("path", {
        class: "leader",
        stroke: colour,
        d: `M${edge + 2},${wanted[i]}L${edge + 10},${places[i]}`,
      }),
      svg(
        "text",
        { x: edge + 14, y: places[i], dy: "0.32em", class: "layer" },
        svg("title", {}, name),
        names[i],
      ),
    ];
  });
}

function nearestLine({ y, lines }, column, top) {
  let best = null;
  let least = Infinity;
  for (const { key, values } of lines) {
    const value = values[column] ?? null;
    if (value === null) continue;
    const distance = Math.abs(y(value) - top);
    if (distance < least) [best, least] = [key, distance];
  }
  return best;
}
