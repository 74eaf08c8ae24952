import { html } from "./dom.js";

/** Shows whether the page is live, and when it last received new data. */
export function createStateLine(live) {
  const element = html("p", { class: "state", role: "status", "data-testid": "state" });
  let since = null;
  let silentSince = null;
  const say = (state, text) => {
    element.dataset.state = state;
    // A screen reader would read an unchanged text again.
    if (element.textContent !== text) element.textContent = text;
  };
  return {
    element,
    newData() {
      since = new Date();
    },
    answered() {
      silentSince = null;
      if (!live) say("saved", "Saved page");
      else
        say("live", since ? `Live, new data at ${clock(since)}` : "Live, no data yet");
    },
    missing() {
      silentSince = null;
      say("missing", "This run was removed from the log folder");
    },
    silent() {
      silentSince ??= new Date();
      say("silent", `No answer since ${clock(silentSince)}, trying again every 5 s`);
    },
  };
}

function clock(date) {
  return date.toLocaleTimeString([], { hour12: false });
}
