import { ramp } from "./colour.js";
import { html, svg } from "./dom.js";
import { listenToKeys, moved } from "./keyboard.js";
import { labels } from "./names.js";
import { BESIDE, createPlot, hide, line, show, xAxis } from "./plot.js";
import { format, linear, NONE } from "./scale.js";
import { columns, mean, nearestIndex } from "./series.js";
import { currentTheme } from "./theme.js";
import { addZoom } from "./zoom.js";

const HEIGHT = 320;
const ROW = { least: 2, most: 30, labelled: 13 };
const TOP = 4;

/** Creates a heat map of the rates, with a row per layer and a column per step. */
export function createHeatMap(cursor, { onPin, onZoom }) {
  const plot = createPlot("heat-map");
  const canvas = html("canvas", { class: "cells" });
  plot.element.prepend(canvas);
  const upright = svg("line", { class: "cursor", display: "none" });
  const frame = svg("rect", { class: "frame", display: "none" });
  const name = svg("text", { class: "name", "text-anchor": "end", display: "none" });
  plot.overlay.append(upright, frame, name);
  let drawn = null;

  const pointAt = (step, row) => {
    const layer = drawn.model.layers[row]?.path ?? null;
    cursor.move({ clock: drawn.model.axis, step, layer });
  };
  const position = () => {
    const { steps, rowOf } = drawn.model;
    const { step, layer } = cursor.place ?? {};
    const known = step !== undefined && step !== null && steps.length;
    return [known ? nearestIndex(steps, step) : -1, rowOf.get(layer) ?? -1];
  };
  const pointTo = (column, row) => {
    if (drawn?.model.steps.length) pointAt(drawn.model.steps[column], row);
  };

  plot.element.addEventListener("pointermove", (event) => {
    if (!drawn?.model.steps.length) return;
    const [left, top] = plot.place(event);
    const row = Math.floor((top - TOP) / drawn.rowHeight);
    const inside = row >= 0 && row < drawn.model.layers.length;
    if (!inside) return cursor.clear();
    pointTo(nearestIndex(drawn.model.steps, drawn.x.invert(left)), row);
  });
  plot.element.addEventListener("pointerleave", cursor.clear);
  const pin = () => cursor.place?.layer && onPin(cursor.place.layer);
  plot.element.addEventListener("click", pin);
  listenToKeys(plot.element, {
    move(byColumn, byRow) {
      if (!drawn) return;
      const { steps, layers } = drawn.model;
      const [column, row] = position();
      pointTo(moved(column, byColumn, steps.length), moved(row, byRow, layers.length));
    },
    jump(toEnd) {
      if (!drawn) return;
      const { steps, layers } = drawn.model;
      pointTo(toEnd ? steps.length - 1 : 0, moved(position()[1], 0, layers.length));
    },
    clear: cursor.clear,
    choose: pin,
  });
  cursor.listen(() => drawn && follow());
  addZoom(
    plot,
    () => (drawn?.model.steps.length ? drawn.x : null),
    onZoom,
    () => cursor.place?.step ?? null,
  );

  function follow() {
    const { model, names, x, rowHeight } = drawn;
    const { clock, step, layer } = cursor.place ?? {};
    const row = model.rowOf.get(layer);
    const bottom = TOP + rowHeight * model.layers.length;
    const [low, high] = x.domain;
    if (clock === model.axis && step !== null && step >= low && step <= high) {
      show(upright, line(x(step), TOP, x(step), bottom));
    } else hide(upright);
    if (row === undefined) {
      [frame, name].forEach(hide);
      return;
    }
    const top = TOP + row * rowHeight;
    show(frame, {
      x: x.range[0] - 1,
      y: top - 1,
      width: x.range[1] - x.range[0] + 2,
      height: rowHeight + 2,
    });
    name.textContent = names[row];
    show(name, { x: x.range[0] - 8, y: top + rowHeight / 2, dy: "0.32em" });
  }

  return {
    element: plot.element,
    /** Draws the rates, with the name of the run if there are several; returns the height. */
    draw(model, isNamed, width, space) {
      const count = model.layers.length;
      const fitting = Math.floor(HEIGHT / Math.max(count, 1));
      const rowHeight = Math.min(Math.max(fitting, ROW.least), ROW.most);
      const bottom = TOP + rowHeight * count;
      const x = linear(model.domain, [space.left, width - space.right]);
      const names = labels(
        model.layers.map(({ path }) => path),
        space.left - BESIDE.left,
      );
      drawn = { model, names, x, rowHeight };
      plot.resize(width, bottom + space.bottom);
      plot.element.setAttribute("aria-label", describe(model));
      plot.base.replaceChildren(
        ...rowTexts(drawn),
        ...separators(count, x, rowHeight),
        xAxis(x, bottom, isNamed ? `${model.unit} of ${model.run}` : model.unit, {
          smallest: model.axis === "time" ? 0 : 1,
        }),
      );
      paint(canvas, model, x, rowHeight);
      follow();
      return bottom + space.bottom;
    },
  };
}

function describe({ layers, steps, unit, top }) {
  const range = steps.length
    ? `${unit} ${steps[0]} to ${steps.at(-1)}`
    : `no ${unit} yet`;
  return (
    `Heat map of the dropout rates of ${layers.length} layers, ${range}, colours ` +
    `from 0 to ${top}. Arrow keys move over layers and steps. Enter highlights a layer.`
  );
}

/** Paints one pixel per row, which the browser stretches. Missing values stay clear. */
function paint(canvas, model, x, rowHeight) {
  const [left, right] = x.range;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.max(Math.round((right - left) * ratio), 1);
  canvas.height = Math.max(model.layers.length, 1);
  Object.assign(canvas.style, {
    left: `${left}px`,
    top: `${TOP}px`,
    width: `${right - left}px`,
    height: `${rowHeight * model.layers.length}px`,
  });
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const { starts, ends } = columns(model.steps, x, canvas.width, ratio);
  const colour = ramp(currentTheme());
  model.layers.forEach(({ values }, row) => {
    for (let column = 0; column < canvas.width; column += 1) {
      const rate = mean(values, starts[column], ends[column]);
      if (rate === null) continue;
      const place = 4 * (row * canvas.width + column);
      image.data.set(colour(rate / model.top), place);
      image.data[place + 3] = 255;
    }
  });
  context.putImageData(image, 0, 0);
}

/** Draws names on the left and current rates on the right, of some rows if thin. */
function rowTexts({ model, names, x, rowHeight }) {
  const every = Math.ceil(ROW.labelled / rowHeight);
  const [left, right] = x.range;
  return model.layers.flatMap(({ path, rate }, row) => {
    if (row % every) return [];
    const y = TOP + (row + 0.5) * rowHeight;
    const label = svg(
      "text",
      { x: left - 8, y, dy: "0.32em", "text-anchor": "end", class: "layer" },
      svg("title", {}, path),
      names[row],
    );
    const now = svg("text", { x: right + 8, y, dy: "0.32em" }, format(rate, NONE));
    return every > 1 ? [label] : [label, now];
  });
}

function separators(count, x, rowHeight) {
  if (rowHeight < ROW.labelled) return [];
  return Array.from({ length: count - 1 }, (_, row) => {
    const y = TOP + (row + 1) * rowHeight;
    return svg("line", { ...line(x.range[0], y, x.range[1], y), class: "separator" });
  });
}
