import { html, svg } from "./dom.js";

// The properties that the style sheet of the page sets on drawings.
const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "opacity",
  "paint-order",
  "font-family",
  "font-size",
  "font-weight",
];
const PIXELS = 2;

/**
 * Creates buttons that download a section: its data by `table`, which returns rows, and
 * its `charts`, a function that returns their elements.
 */
export function downloads(name, { table, charts }) {
  const button = (kind, make) => {
    const label = `Download ${name} as ${kind}`;
    const element = html(
      "button",
      { type: "button", "aria-label": label, title: label },
      kind,
    );
    element.addEventListener("click", () => make());
    return element;
  };
  const file = (kind) => `${name.replaceAll(" ", "_")}.${kind}`;
  const drawing = () => drawingOf(charts().filter((chart) => chart.offsetHeight));
  const buttons = [button("CSV", () => save(file("csv"), "text/csv", csv(table())))];
  if (charts) {
    buttons.push(
      button("SVG", () => save(file("svg"), "image/svg+xml", textOf(drawing()))),
      button("PNG", () => savePicture(file("png"), drawing())),
    );
  }
  return html("div", { class: "downloads", "data-testid": "downloads" }, ...buttons);
}

/** Formats rows as CSV, by RFC 4180. */
function csv(rows) {
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function cell(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  html("a", { href: url, download: name }).click();
  // The browser reads the file after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Returns one drawing of several plots below each other, with their styles in it. */
function drawingOf(plots) {
  const paper = getComputedStyle(document.body).backgroundColor;
  const width = Math.max(...plots.map(({ clientWidth }) => clientWidth));
  const height = plots.reduce((sum, { clientHeight }) => sum + clientHeight, 0);
  let top = 0;
  const parts = plots.map((plot) => {
    const part = svg("g", { transform: `translate(0 ${top})` });
    top += plot.clientHeight;
    const canvas = plot.querySelector("canvas");
    if (canvas) part.append(image(canvas));
    part.append(withStyles(plot.querySelector("svg.base")));
    return part;
  });
  return svg(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", width, height },
    svg("rect", { width, height, fill: paper }),
    ...parts,
  );
}

function withStyles(drawing) {
  const copy = drawing.cloneNode(true);
  const originals = [drawing, ...drawing.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, i) => {
    const style = getComputedStyle(originals[i]);
    for (const name of STYLES) element.setAttribute(name, style.getPropertyValue(name));
  });
  return copy;
}

function image(canvas) {
  return svg("image", {
    href: canvas.toDataURL(),
    x: canvas.offsetLeft,
    y: canvas.offsetTop,
    width: canvas.offsetWidth,
    height: canvas.offsetHeight,
    preserveAspectRatio: "none",
    "image-rendering": "pixelated",
  });
}

function textOf(drawing) {
  return new XMLSerializer().serializeToString(drawing);
}

async function savePicture(name, drawing) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(textOf(drawing))}`;
  await picture.decode();
  const canvas = html("canvas", {
    width: PIXELS * drawing.getAttribute("width"),
    height: PIXELS * drawing.getAttribute("height"),
  });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => save(name, "image/png", blob));
}
