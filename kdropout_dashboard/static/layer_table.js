import { html, svg } from "./dom.js";
import { linePath } from "./line_path.js";
import { commonText, labels } from "./names.js";
import { sample } from "./readout.js";
import { format, linear, NONE } from "./scale.js";
import { sorted, sortHeading } from "./sort.js";

const SPARK = { width: 84, height: 18, pad: 2 };
// Pixels for the other columns and the swatch.
const OTHERS = { fixed: 440, extra: 96, least: 120 };
const TITLES = { entropy_term: "Entropy term", weight_term: "Weight term" };
const COLUMNS = [
  { id: "layer", title: "Layer", of: ({ path }) => path },
  { id: "kind", title: "Kind", of: ({ kind }) => kind },
  { id: "rate", title: "Rate now", of: ({ rate }) => rate },
  { id: "decided", title: "Decided by", of: ({ decidedBy }) => decidedBy },
];

/**
 * Creates a table of the layers, first in the order of the model. Rows highlight layers,
 * and headings sort.
 */
export function createLayerTable(cursor, { onPin, onSort }) {
  const head = html("tr");
  const body = html("tbody");
  const common = html("p", { class: "common", "data-testid": "common-path" });
  const element = html(
    "div",
    { class: "scroll", "data-testid": "layer-table" },
    html("table", {}, html("thead", {}, head), body),
  );
  const whole = html("div", {}, common, element);
  const rows = new Map();
  let pointed = null;
  let columns = "";

  cursor.listen((place) => {
    pointed?.classList.remove("pointed");
    pointed = rows.get(place?.layer)?.element ?? null;
    pointed?.classList.add("pointed");
  });

  function addRow(path) {
    const row = createRow(path);
    row.element.addEventListener("click", () => onPin(path));
    row.element.addEventListener("pointerenter", () =>
      cursor.move({ clock: null, step: null, layer: path }),
    );
    row.element.addEventListener("pointerleave", cursor.clear);
    rows.set(path, row);
    return row;
  }

  function drawHead(extras, sort) {
    const state = JSON.stringify([extras, sort]);
    if (state === columns) return;
    if (JSON.parse(columns || "[[]]")[0].length !== extras.length) rows.clear();
    columns = state;
    const focused = head.contains(document.activeElement)
      ? document.activeElement.dataset.sort
      : null;
    head.replaceChildren(
      ...COLUMNS.map((column) => sortHeading(column, sort, onSort)),
      html("th", { scope: "col" }, "Trend"),
      ...extras.map((column) => sortHeading(column, sort, onSort)),
    );
    if (focused) head.querySelector(`[data-sort="${focused}"]`)?.focus();
  }

  return {
    element: whole,
    draw(model, sort) {
      const extras = extraColumns(model.layers);
      drawHead(extras, sort);
      const room = element.clientWidth - OTHERS.fixed - extras.length * OTHERS.extra;
      const paths = model.layers.map(({ path }) => path);
      const shortened = labels(paths, Math.max(room, OTHERS.least));
      const shared = commonText(paths);
      common.textContent = shared ? `All paths are ${shared}` : "";
      common.hidden = !shared;
      const label = new Map(paths.map((path, i) => [path, shortened[i]]));
      const valueOf = (layer, id) =>
        [...COLUMNS, ...extras].find((column) => column.id === id)?.of(layer);
      const shown = sorted(model.layers, sort, valueOf).map((layer) => {
        const row = rows.get(layer.path) ?? addRow(layer.path);
        row.fill(layer, label.get(layer.path), model, extras);
        return row.element;
      });
      // A row that is moved would lose the focus.
      const unchanged =
        shown.length === body.children.length &&
        shown.every((row, i) => row === body.children[i]);
      if (!unchanged) body.replaceChildren(...shown);
    },
  };
}

/** Returns the rows of the CSV. */
export function layerRows({ layers }) {
  const columns = [...COLUMNS, ...extraColumns(layers)];
  return [
    columns.map(({ id }) => id),
    ...layers.map((layer) => columns.map(({ of }) => of(layer))),
  ];
}

/** Returns the columns that only some trainings have. */
function extraColumns(layers) {
  const terms = [...new Set(layers.flatMap(({ terms: found }) => Object.keys(found)))];
  const extras = terms.map((name) => ({
    id: name,
    title: TITLES[name] ?? name,
    of: (layer) => layer.terms[name] ?? null,
  }));
  if (layers.some(({ dropped }) => dropped !== null)) {
    extras.unshift({ id: "dropped", title: "Dropped", of: ({ dropped }) => dropped });
  }
  return extras;
}

function createRow(path) {
  const button = html("button", { type: "button", title: path });
  const swatch = html("span", { class: "swatch" });
  const [kind, decidedBy] = [html("td"), html("td")];
  const rate = html("td", { class: "number", "data-testid": "layer-rate" });
  const course = html("td");
  const attributes = { "data-testid": "layer-row", "data-path": path };
  const element = html(
    "tr",
    attributes,
    html("th", { scope: "row" }, html("div", {}, swatch, button)),
    kind,
    rate,
    decidedBy,
    course,
  );
  const fixed = element.children.length;
  return {
    element,
    fill(layer, label, model, extras) {
      button.textContent = label;
      button.setAttribute("aria-pressed", model.pinned.has(path));
      swatch.replaceChildren(sample(model.styles.get(path)));
      kind.textContent = layer.kind;
      rate.textContent = format(layer.rate, NONE);
      decidedBy.textContent = layer.decidedBy;
      course.replaceChildren(sparkline(layer.values, model));
      while (element.children.length > fixed) element.lastChild.remove();
      element.append(
        ...extras.map(({ of }) =>
          html("td", { class: "number" }, format(of(layer), NONE)),
        ),
      );
    },
  };
}

function sparkline(values, { steps, domain, top }) {
  const { width, height, pad } = SPARK;
  const x = linear(domain, [0, width]);
  const y = linear([0, top], [height - pad, pad]);
  const { line, dots } = linePath(steps, values, x, y);
  return svg(
    "svg",
    { width, height, class: "spark", "aria-hidden": "true" },
    svg("path", { d: line }),
    svg("path", { d: dots, class: "alone" }),
  );
}
