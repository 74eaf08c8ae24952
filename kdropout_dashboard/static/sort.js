import { html } from "./dom.js";

/** Reads an order such as "rate" or "-rate" (from the largest) from a text. */
function parseSort(text) {
  const isDown = text.startsWith("-");
  return { column: isDown ? text.slice(1) : text, isDown };
}

/** Creates the heading of a column with a button that sorts by it. */
export function sortHeading({ id, title, hint }, sort, onSort) {
  const { column, isDown } = parseSort(sort);
  const isSorted = column === id;
  const direction = isDown ? "descending" : "ascending";
  // From the smallest, then from the largest, then in the first order again.
  const next = !isSorted ? id : isDown ? "" : `-${id}`;
  const button = html(
    "button",
    { type: "button", title: hint ?? `Sort by ${title}`, "data-sort": id },
    isSorted ? `${title} ${isDown ? "\u2193" : "\u2191"}` : title,
  );
  button.addEventListener("click", () => onSort(next));
  const attributes = { scope: "col", "aria-sort": isSorted ? direction : null };
  return html("th", attributes, button);
}

/** Returns the rows in an order. `valueOf` returns the value in a column, or null. */
export function sorted(rows, sort, valueOf) {
  const { column, isDown } = parseSort(sort);
  if (!column || !rows.length || valueOf(rows[0], column) === undefined) return rows;
  const value = new Map(rows.map((row) => [row, valueOf(row, column)]));
  return [...rows].sort((one, other) => {
    const [first, second] = [value.get(one), value.get(other)];
    // Missing values are last in both directions.
    if (first === null || second === null) return (first === null) - (second === null);
    return isDown ? compare(second, first) : compare(first, second);
  });
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}
