const MOVES = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  PageUp: [-10, 0],
  PageDown: [10, 0],
};

/**
 * Handles keys: arrows move over a grid, Home and End jump, Escape clears, Enter
 * chooses. The handlers are move(columns, rows), jump(toEnd), clear() and choose(). The
 * browser handles the keys of a missing handler.
 */
export function listenToKeys(element, { move, jump, clear, choose }) {
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (Object.hasOwn(MOVES, key) && move) move(...MOVES[key]);
    else if ((key === "Home" || key === "End") && jump) jump(key === "End");
    else if (key === "Escape" && clear) clear();
    else if ((key === "Enter" || key === " ") && choose) choose();
    else return;
    event.preventDefault();
  });
}

/** Moves a position in a list of `count`. From none (-1), it goes to the near end. */
export function moved(position, by, count) {
  if (position < 0) return by < 0 ? count - 1 : 0;
  return Math.min(Math.max(position + by, 0), count - 1);
}
