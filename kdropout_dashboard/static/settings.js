import { AXES } from "./axis.js";

const KINDS = ["training", "search"];

const TEXT = { read: (text) => text, write: (value) => value };
const LIST = {
  read: (text) => text.split(",").filter(Boolean).map(decodeURIComponent),
  write: (values) => values.map(encodeURIComponent).join(","),
};

/** The choices of the user: the value without a choice, and its form in the address. */
const FIELDS = {
  run: {
    none: null,
    read: (text) => {
      const [kind, ...name] = text.split(":");
      return KINDS.includes(kind) && name.length
        ? { kind, name: name.join(":") }
        : null;
    },
    write: ({ kind, name }) => `${kind}:${name}`,
  },
  // The runs in the charts, each with its place in the list of colours.
  runs: {
    none: [],
    read: (text) =>
      LIST.read(text).flatMap((item) => {
        const [slot, ...name] = item.split(":");
        const isKnown = /^\d{1,3}$/.test(slot) && name.length;
        return isKnown ? [{ slot: Number(slot), name: name.join(":") }] : [];
      }),
    write: (runs) => LIST.write(runs.map(({ slot, name }) => `${slot}:${name}`)),
  },
  metric: { none: "", ...TEXT },
  parts: { none: [], ...LIST },
  layers: { none: [], ...LIST },
  filter: { none: "", ...TEXT },
  axis: {
    none: "epoch",
    read: (text) => (Object.hasOwn(AXES, text) ? text : "epoch"),
    write: (axis) => axis,
  },
  zoom: {
    none: null,
    read: (text) => {
      const ends = text.split(",").map(Number);
      const isRange = ends.length === 2 && ends.every(Number.isFinite);
      return isRange && ends[0] < ends[1] ? ends : null;
    },
    write: (ends) => ends.map((end) => Number(end.toPrecision(7))).join(","),
  },
  smoothing: {
    none: 0,
    read: (text) => Math.min(Math.max(Number(text) || 0, 0), 0.99),
    write: String,
  },
  sort: { none: "", ...TEXT },
  brush: { none: [], ...LIST },
};

/**
 * Keeps the choices of the user, also in the address, so that a reload and a link show
 * the same. `set` takes the new choices by name.
 */
export function createSettings(address) {
  const listeners = [];
  let values = read(address);
  address.listen(() => {
    values = read(address);
    listeners.forEach((listener) => listener());
  });
  return {
    get values() {
      return values;
    },
    set(changes) {
      values = { ...values, ...changes };
      address.write(texts(values));
    },
    /** Calls a function if another address replaces the choices. */
    listen: (listener) => listeners.push(listener),
  };
}

function read(address) {
  const found = address.read();
  const entries = Object.entries(FIELDS).map(([name, { none, read: parse }]) => [
    name,
    Object.hasOwn(found, name) ? parsed(parse, found[name], none) : none,
  ]);
  return Object.fromEntries(entries);
}

/** Returns a value of an address that anybody may have changed, or the default. */
function parsed(parse, text, none) {
  try {
    return parse(text);
  } catch {
    return none;
  }
}

function texts(values) {
  const chosen = Object.entries(FIELDS).filter(
    ([name, { none }]) => JSON.stringify(values[name]) !== JSON.stringify(none),
  );
  return Object.fromEntries(
    chosen.map(([name, { write }]) => [name, write(values[name])]),
  );
}
