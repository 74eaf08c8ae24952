const SVG = "http://www.w3.org/2000/svg";

/** Creates an HTML element. A string child is text, because names come from log files. */
export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Creates an SVG element. */
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
