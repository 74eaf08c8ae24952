import { createAddress } from "./address.js";
import { html } from "./dom.js";
import { createPoller } from "./poller.js";
import { createRunPicker } from "./run_picker.js";
import { createSearchView } from "./search_view.js";
import { createSettings } from "./settings.js";
import { createShownRuns, runStyle } from "./shown_runs.js";
import { createStateLine } from "./state_line.js";
import { watchTheme } from "./theme.js";
import { createTrainingView } from "./training_view.js";

const NO_RUN =
  "No run with dropout rates yet. To add one, pass kdropout.callbacks.TensorBoardRates " +
  "to fit, or pass a log_dir to a tuner of kdropout.tuning.";

/** Draws the page into `root` and keeps it up to date with `source`. */
export function start(root, source) {
  const settings = createSettings(createAddress());
  const shownRuns = createShownRuns(settings);
  const views = {
    training: createTrainingView(settings, {
      onChoose: (name) => pick({ kind: "training", name }),
      onAdd: (names) => compare(shownRuns.add(names, chosen.name)),
      onRemove: remove,
    }),
    search: createSearchView(settings),
  };
  const picker = createRunPicker(pick);
  const state = createStateLine(source);
  const message = html("p", { class: "message", "data-testid": "message" });
  const content = html("div", { class: "content" }, message);
  // The data of the runs that are shown, by kind and name.
  const payloads = new Map();
  let runs = [];
  let chosen = settings.values.run;
  let shown = null;
  let missing = [];
  let hasNews = false;
  let width = root.clientWidth;

  const poller = createPoller(source, {
    onRuns(found) {
      runs = found;
      chosen ??= runs[0] ?? null;
      picker.draw(runs, chosen);
      if (!chosen) say(NO_RUN);
      return wanted().map((run) => ({
        ...run,
        version: payloads.get(keyOf(run))?.version ?? "",
      }));
    },
    onPayload(payload, run) {
      payloads.set(keyOf(run), payload);
      state.newData(run, payload);
      hasNews = true;
      if (keyOf(run) === keyOf(chosen)) show();
    },
    onRound(gone) {
      const isGone = gone.some((run) => keyOf(run) === keyOf(chosen));
      const names = gone
        .map(({ name }) => name)
        .filter((name) => name !== chosen?.name);
      if (names.join("\n") !== missing.join("\n")) hasNews = true;
      missing = names;
      if (isGone) state.missing();
      else state.answered(chosen, payloads.get(keyOf(chosen)));
      if (isGone && !shown) {
        say(
          `The run "${chosen.name}" was removed, or never was here. Choose another one.`,
        );
      } else if (shown && hasNews) show();
    },
    onFailure() {
      state.silent();
      if (!shown) say("No data yet: the server does not answer.");
    },
  });

  /**
   * Returns the runs of which the page shows data, the chosen one first. The others share
   * as many values as the chosen one has, because their charts do not show each layer.
   */
  function wanted() {
    if (!chosen) return [];
    if (chosen.kind !== "training") return [chosen];
    const names = shownRuns.of(chosen.name).map(({ name }) => name);
    return names.map((name) => ({
      kind: "training",
      name,
      sharedBy: name === chosen.name ? 1 : names.length - 1,
    }));
  }

  function pick(run) {
    const shownNext =
      run.kind === "training" ? shownRuns.choose(run.name, chosen?.name) : [];
    chosen = run;
    // Another search has other axes.
    const brush = run.kind === "search" ? [] : settings.values.brush;
    settings.set({ run, runs: shownNext, brush });
    restart();
  }

  function compare(next) {
    settings.set({ run: chosen, runs: next });
    restart();
  }

  function remove(names) {
    const next = shownRuns.remove(names);
    if (names.includes(chosen.name) && next.length) {
      chosen = { kind: "training", name: next[0].name };
    }
    compare(next);
  }

  /** Shows what is known of the runs, and asks for the others. */
  function restart() {
    shown = null;
    const kept = new Set(wanted().map(keyOf));
    for (const key of payloads.keys()) if (!kept.has(key)) payloads.delete(key);
    picker.draw(runs, chosen);
    if (payloads.has(keyOf(chosen))) show();
    else say("Loading\u2026");
    poller.ask();
  }

  function show() {
    const view = views[chosen.kind];
    // A view measures its element, which must be in the page when it is drawn.
    if (view.element.parentNode !== content) content.replaceChildren(view.element);
    hasNews = false;
    try {
      view.show(chosen.kind === "training" ? trainings() : payloads.get(keyOf(chosen)));
      shown = chosen;
    } catch (error) {
      shown = null;
      say(`This run cannot be shown. ${error}`);
    }
  }

  function trainings() {
    const entries = shownRuns.of(chosen.name).map(({ name, slot }) => ({
      name,
      slot,
      style: runStyle(slot),
      payload: payloads.get(keyOf({ kind: "training", name })),
    }));
    return {
      entries: entries.filter(({ payload }) => payload),
      names: runs.filter(({ kind }) => kind === "training").map(({ name }) => name),
      missing,
    };
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
  settings.listen(() => {
    chosen = settings.values.run ?? runs[0] ?? null;
    restart();
  });
  watchTheme(redraw);
  new ResizeObserver(resized).observe(root);
  say("Loading\u2026");
  poller.ask();
}

function keyOf(run) {
  return run ? `${run.kind}:${run.name}` : "";
}
