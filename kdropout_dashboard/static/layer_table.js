import { html, svg } from "./dom.js";
import { linePath } from "./line_path.js";
import { labels } from "./names.js";
import { format, linear, NONE } from "./scale.js";

const SPARK = { width: 84, height: 18, pad: 2 };
// Pixels for the other columns and the swatch.
const OTHERS = { fixed: 440, extra: 96, least: 120 };
const TITLES = { entropy_term: "Entropy term", weight_term: "Weight term" };

/** Creates a table of the layers in the order of the model. Rows highlight layers. */
export function createLayerTable(cursor, onPin) {
  const head = html("tr");
  const body = html("tbody");
  const element = html(
    "div",
    { class: "scroll", "data-testid": "layer-table" },
    html("table", {}, html("thead", {}, head), body),
  );
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

  return {
    element,
    draw(model) {
      const extras = extraColumns(model.layers);
      const titles = ["Layer", "Kind", "Rate now", "Decided by", "Trend"];
      const names = [...titles, ...extras.map(({ title }) => title)];
      if (names.join() !== columns) {
        columns = names.join();
        head.replaceChildren(
          ...names.map((name) => html("th", { scope: "col" }, name)),
        );
        rows.clear();
      }
      const room = element.clientWidth - OTHERS.fixed - extras.length * OTHERS.extra;
      const paths = model.layers.map(({ path }) => path);
      const shortened = labels(paths, Math.max(room, OTHERS.least));
      const shown = model.layers.map((layer, i) => {
        const row = rows.get(layer.path) ?? addRow(layer.path);
        row.fill(layer, shortened[i], model, extras);
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

/** Returns the columns that only some trainings have. */
function extraColumns(layers) {
  const terms = [...new Set(layers.flatMap(({ terms: found }) => Object.keys(found)))];
  const extras = terms.map((name) => ({
    title: TITLES[name] ?? name,
    of: (layer) => layer.terms[name] ?? null,
  }));
  if (layers.some(({ dropped }) => dropped !== null)) {
    extras.unshift({ title: "Dropped", of: ({ dropped }) => dropped });
  }
  return extras;
}

function createRow(path) {
  const button = html("button", { type: "button", title: path });
  const swatch = svg("svg", { class: "swatch", width: 22, height: 10 });
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

/** Draws a sample of the layer's line in the chart. */
function sample(style) {
  return svg("path", {
    d: "M0,5h22",
    stroke: style?.colour ?? "var(--faint)",
    "stroke-dasharray": style?.dash || null,
    "stroke-width": style ? 2.5 : 1,
  });
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
