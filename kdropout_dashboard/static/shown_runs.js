import { DASHES } from "./colour.js";

const COLOURS = DASHES.length;

/** Returns the colour and the dash of a run by its place in the list of colours. */
export function runStyle(slot) {
  const number = slot % COLOURS;
  const dash = DASHES[Math.floor(slot / COLOURS) % COLOURS];
  return { colour: `var(--line-${number + 1})`, dash };
}

/**
 * Chooses the runs in the charts. A run keeps its colour as long as the page is open, and
 * in the address.
 */
export function createShownRuns(settings) {
  const slots = new Map();
  const known = () => {
    for (const { name, slot } of settings.values.runs) slots.set(name, slot);
    return settings.values.runs;
  };
  const slotFor = (name, shown) => {
    if (slots.has(name)) return slots.get(name);
    const used = new Set(slots.values());
    const free = (taken) => {
      let slot = 0;
      while (taken.has(slot)) slot += 1;
      return slot;
    };
    let slot = free(used);
    // With more runs than colours, those that are shown together still differ.
    if (slot >= COLOURS) slot = free(new Set(shown.map((run) => run.slot)));
    slots.set(name, slot);
    return slot;
  };
  const withRun = (runs, name) =>
    runs.some((run) => run.name === name)
      ? runs
      : [...runs, { name, slot: slotFor(name, runs) }];

  return {
    /** Returns the runs in the charts with the chosen one first. */
    of(name) {
      const runs = withRun(known(), name);
      return [
        ...runs.filter((run) => run.name === name),
        ...runs.filter((run) => run.name !== name),
      ];
    },
    /** Shows another run in the place of `before`, or chooses one that is shown. */
    choose(name, before) {
      const runs = known();
      const isShown = runs.some((run) => run.name === name);
      const kept = isShown ? runs : runs.filter((run) => run.name !== before);
      return withRun(kept, name);
    },
    /** Shows further runs beside `chosen`. */
    add(names, chosen) {
      return names.reduce(withRun, withRun(known(), chosen));
    },
    remove: (names) => known().filter(({ name }) => !names.includes(name)),
  };
}
