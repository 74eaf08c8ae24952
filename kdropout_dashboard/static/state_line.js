import { html } from "./dom.js";

// Seconds in which a training that goes on must have written: these, for the reading of
// TensorBoard, and the length of some epochs. A trial of a search may take longer.
const PATIENCE = { training: 60, search: 300 };
const EPOCHS = 3;

/** Shows whether data arrive, and when the chosen run was last written. */
export function createStateLine(source) {
  const element = html("p", { class: "state", role: "status", "data-testid": "state" });
  const arrived = new Map();
  let silentSince = null;
  const say = (state, text) => {
    element.dataset.state = state;
    // A screen reader would read an unchanged text again.
    if (element.textContent !== text) element.textContent = text;
  };
  return {
    element,
    newData({ kind, name }) {
      arrived.set(`${kind}:${name}`, source.now());
    },
    answered(run, payload) {
      silentSince = null;
      if (!run || !payload) return say("idle", "No data yet");
      // A page or a server of an earlier version does not have the time.
      const written = payload.written_at
        ? 1000 * payload.written_at
        : source.live && arrived.get(`${run.kind}:${run.name}`);
      const moment = written ? `last write ${when(written, source.now())}` : "";
      if (!source.live)
        return say("saved", ["Saved page", moment].filter(Boolean).join(", "));
      const age = (source.now() - written) / 1000;
      const patience = PATIENCE[run.kind] + EPOCHS * secondsPerEpoch(payload);
      if (age < patience) say("live", `Live, ${moment}`);
      else say("idle", `Not live, ${moment}`);
    },
    missing() {
      silentSince = null;
      say("missing", "This run is not in the log folder");
    },
    silent() {
      silentSince ??= source.now();
      const moment = when(silentSince, silentSince);
      say("silent", `No answer since ${moment}, trying again every 5 s`);
    },
  };
}

/** Returns the mean length of the epochs so far, or 0 if it is not known. */
function secondsPerEpoch({ times }) {
  const values = times?.values ?? [];
  return values.length > 1 ? (values.at(-1) - values[0]) / (values.length - 1) : 0;
}

/** Formats a time, with the date unless it is that of today. */
function when(moment, now) {
  const date = new Date(moment);
  const time = date.toLocaleTimeString([], { hour12: false });
  const isToday = date.toDateString() === new Date(now).toDateString();
  return isToday ? time : `${date.toLocaleDateString("sv")} ${time}`;
}
