import { svg } from "./dom.js";
import { listenToKeys, moved } from "./keyboard.js";
import { linePath } from "./line_path.js";
import { labels } from "./names.js";
import { BESIDE, createPlot, hide, line, show, xAxis, yAxis } from "./plot.js";
import { linear } from "./scale.js";
import { indexAt, nearestIndex, union } from "./series.js";
import { spread } from "./spread.js";
import { addZoom } from "./zoom.js";

const LABEL = 14;

/**
 * Creates a chart of lines, each over its steps. It reports the place of the pointer as
 * (step, key of the nearest line). `follow` moves its cursor.
 */
export function createLineChart(testid, { onPoint, onLeave, onChoose, onZoom }) {
  const plot = createPlot(testid);
  const upright = svg("line", { class: "cursor" });
  const thick = svg("path", { class: "thick" });
  const dot = svg("circle", { class: "dot", r: 4 });
  const thickArea = svg("svg", {}, thick);
  plot.overlay.append(upright, thickArea, dot);
  [upright, thick, dot].forEach(hide);
  let drawn = null;
  let place = { step: null, key: null };

  const point = (column, key) => onPoint(drawn.steps[column], key);
  plot.element.addEventListener("pointermove", (event) => {
    if (!drawn?.steps.length) return;
    const [left, top] = plot.place(event);
    const column = nearestIndex(drawn.steps, drawn.x.invert(left));
    point(column, nearestLine(drawn, drawn.steps[column], top));
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
  addZoom(
    plot,
    () => (drawn?.steps.length ? drawn.x : null),
    onZoom,
    () => place.step,
  );

  function follow(step, key) {
    place = { step, key };
    if (!drawn) return;
    const { x, y, lines, paths } = drawn;
    const [low, high] = x.domain;
    if (step === null || step < low || step > high) hide(upright);
    else show(upright, line(x(step), y.range[1], x(step), y.range[0]));
    const row = lines.findIndex((candidate) => candidate.key === key);
    [thick, dot].forEach(hide);
    if (row < 0) return;
    const { colour = "var(--ink)", dash = "" } = lines[row].named ? lines[row] : {};
    const { line: d, dots } = paths[row];
    show(thick, { d: d + dots, stroke: colour, "stroke-dasharray": dash });
    const { steps, values } = lines[row];
    const column = step === null ? -1 : indexAt(steps, step);
    const value = values[column] ?? null;
    const isInside = steps[column] >= low && steps[column] <= high;
    if (value !== null && isInside) {
      show(dot, { cx: x(steps[column]), cy: y(value), fill: colour });
    }
  }

  return {
    element: plot.element,
    follow,
    /**
     * Draws `content`: lines [{key, name, steps, values, colour, dash, width, named,
     * isFaint}], domain, range, unit, title, label (for screen readers), isZoomed, and
     * marks and signs (functions from the scales to SVG elements below and above the
     * lines).
     */
    draw(content, width, height, space) {
      const x = linear(content.domain, [space.left, width - space.right]);
      const y = linear(content.range, [height - space.bottom, space.top]);
      const { lines, isZoomed } = content;
      const steps = union(lines.map((one) => one.steps)).filter(
        (step) => step >= content.domain[0] && step <= content.domain[1],
      );
      const paths = lines.map((one) => linePath(...around(one, content.domain), x, y));
      drawn = { x, y, steps, lines, paths };
      plot.resize(width, height);
      show(thickArea, areaOf(x, y, isZoomed ? 2 : Math.max(width, height)));
      plot.element.setAttribute("aria-label", content.label);
      plot.base.replaceChildren(
        background(x, y),
        yAxis(y, x.range, content.title),
        xAxis(x, y.range[0], content.unit, { smallest: content.smallest ?? 0 }),
        ...(content.marks?.(x, y) ?? []),
        clipped(
          isZoomed,
          x,
          y,
          inFront(lines).map((row) => drawLine(lines[row], paths[row])),
        ),
        ...(content.signs?.(x, y) ?? []),
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

/** Returns the steps and values of a line in a domain, and one more on both sides. */
function around({ steps, values }, [low, high]) {
  const first = steps.findIndex((step) => step >= low);
  const last = steps.findLastIndex((step) => step <= high);
  if (first <= 0 && last === steps.length - 1) return [steps, values];
  if (first < 0 || last < 0) return [[], []];
  const [start, end] = [Math.max(first - 1, 0), last + 2];
  return [steps.slice(start, end), values.slice(start, end)];
}

/** Hides the parts of lines outside of the axes. Without a zoom, there are none. */
function clipped(isZoomed, x, y, lines) {
  return isZoomed ? svg("svg", areaOf(x, y, 2), ...lines) : svg("g", {}, ...lines);
}

/** Returns the attributes of a drawing that hides all beyond the axes and `beside`. */
function areaOf(x, y, beside) {
  const [left, top] = [x.range[0] - beside, y.range[1] - beside];
  const width = x.range[1] + beside - left;
  const height = y.range[0] + beside - top;
  return {
    x: left,
    y: top,
    width,
    height,
    viewBox: `${left} ${top} ${width} ${height}`,
  };
}

/** Sorts lines so that those with a name are drawn last, above the grey ones. */
function inFront(lines) {
  const rows = lines.map((_, row) => row);
  return [
    ...rows.filter((row) => !lines[row].named),
    ...rows.filter((row) => lines[row].named),
  ];
}

function drawLine({ key, colour, dash, width, named, isFaint }, { line: d, dots }) {
  const style = {
    stroke: colour,
    "stroke-width": width,
    opacity: isFaint ? 0.3 : null,
  };
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
    .filter(({ named, name }) => named && name)
    .map((one) => ({
      ...one,
      last: one.values.findLastIndex(
        (value, i) => value !== null && one.steps[i] <= x.domain[1],
      ),
    }))
    .filter(({ last, steps }) => last >= 0 && steps[last] >= x.domain[0]);
  const names = labels(
    ends.map(({ name }) => name),
    room - BESIDE.right,
  ).map((name, i) => name + countText(ends[i].count));
  const [bottom, top] = y.range;
  const wanted = ends.map(({ values, last }) => y(values[last]));
  const places = spread(wanted, LABEL, top - LABEL / 2, bottom);
  return ends.flatMap(({ name, title, colour, steps, last }, i) => {
    if (places[i] < top - LABEL) return [];
    const edge = x.range[1];
    // A run that ended early has its label at the same edge.
    const start = Math.max(x(steps[last]), edge - 6) + 2;
    return [
      svg("path", {
        class: "leader",
        stroke: colour,
        d: `M${start},${wanted[i]}L${edge + 10},${places[i]}`,
      }),
      svg(
        "text",
        { x: edge + 14, y: places[i], dy: "0.32em", class: "layer" },
        svg("title", {}, title ?? name),
        names[i],
      ),
    ];
  });
}

/** Returns a text for a line that stands for several equal ones. */
export function countText(count = 1) {
  return count > 1 ? ` \u00d7${count}` : "";
}

function nearestLine({ y, lines }, step, top) {
  let best = null;
  let least = Infinity;
  let known = null;
  let column = -1;
  for (const { key, steps, values } of lines) {
    // Most lines share their steps.
    if (steps !== known) [known, column] = [steps, indexAt(steps, step)];
    const value = values[column] ?? null;
    if (value === null) continue;
    const distance = Math.abs(y(value) - top);
    if (distance < least) [best, least] = [key, distance];
  }
  return best;
}
