const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. Names come from log files: a child that is a string is text. */
export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}
