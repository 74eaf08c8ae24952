import { html } from "./dom.js";
import { createPoller } from "./poller.js";
import { createRunPicker } from "./run_picker.js";
import { createSearchView } from "./search_view.js";
import { createStateLine } from "./state_line.js";
import { watchTheme } from "./theme.js";
import { createTrainingView } from "./training_view.js";

const NO_RUN =
  "No run with dropout rates yet. To add one, pass kdropout.callbacks.TensorBoardRates " +
  "to fit, or pass a log_dir to a tuner of kdropout.tuning.";

/** Draws the page into `root` and keeps it up to date with `source`. */
export function start(root, source) {
  const views = { training: createTrainingView(), search: createSearchView() };
  const picker = createRunPicker(pick);
  const state = createStateLine(source.live);
  const message = html("p", { class: "message", "data-testid": "message" });
  const content = html("div", { class: "content" }, message);
  let runs = [];
  let chosen = null;
  let shown = null;
  let width = root.clientWidth;

  const poller = createPoller(source, {
    onRuns(found) {
      runs = found;
      chosen ??= runs[0] ?? null;
      picker.draw(runs, chosen);
      if (!chosen) say(NO_RUN);
      return chosen;
    },
    onPayload(payload, run) {
      state.newData();
      try {
        show(payload, run);
      } catch (error) {
        shown = null;
        say(`This run cannot be shown. ${error}`);
      }
    },
    onRound(missing) {
      if (missing) state.missing();
      else state.answered();
      if (missing && !shown) say("This run was removed. Choose another one.");
    },
    onFailure() {
      state.silent();
      if (!shown) say("No data yet: the server does not answer.");
    },
  });

  function pick(run) {
    chosen = run;
    shown = null;
    picker.draw(runs, chosen);
    say("Loading\u2026");
    poller.restart();
  }

  function show(payload, run) {
    const view = views[run.kind];
    // A view measures its element, which must be in the page when it is drawn.
    if (view.element.parentNode !== content) content.replaceChildren(view.element);
    view.show(payload);
    shown = run;
  }

  function say(text) {
    message.textContent = text;
    content.replaceChildren(message);
  }

  const redraw = () => shown && views[shown.kind].draw();
  const resized = () => {
    // Drawing changes the height, which calls the observer again.
    if (root.clientWidth !== width) redraw();
    width = root.clientWidth;
  };
  root.append(
    html(
      "header",
      { class: "page" },
      html("h1", {}, "Dropout"),
      picker.element,
      state.element,
    ),
    content,
  );
  watchTheme(redraw);
  new ResizeObserver(resized).observe(root);
  say("Loading\u2026");
  poller.ask();
}
