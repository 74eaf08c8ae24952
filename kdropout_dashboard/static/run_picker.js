import { html } from "./dom.js";
import { shortenTo } from "./names.js";

const GROUPS = { training: "Trainings", search: "Searches" };
const LONGEST = 90;

/** Creates a select of runs, grouped by kind. `onPick` receives {name, kind}. */
export function createRunPicker(onPick) {
  const select = html("select", { id: "run", "data-testid": "run-picker" });
  const element = html("label", { for: "run" }, "Run ", select);
  let offered = [];
  let known = "";

  select.addEventListener("change", () => onPick(offered[select.selectedIndex]));

  return {
    element,
    /** Offers runs and selects the chosen one, which may be missing in `runs`. */
    draw(runs, chosen) {
      const all =
        chosen && !runs.some((run) => same(run, chosen)) ? [...runs, chosen] : runs;
      // The options in the order of their groups.
      offered = Object.keys(GROUPS).flatMap((kind) =>
        all.filter((run) => run.kind === kind),
      );
      const next = JSON.stringify(offered);
      // Replacing the options would close a list that is open.
      if (next !== known) select.replaceChildren(...groups(offered));
      known = next;
      select.selectedIndex = offered.findIndex((run) => chosen && same(run, chosen));
      select.title = chosen?.name ?? "";
      select.disabled = !offered.length;
    },
  };
}

/** Returns true if two runs have the same kind and name. */
function same(one, other) {
  return one.kind === other.kind && one.name === other.name;
}

function groups(runs) {
  return Object.entries(GROUPS).flatMap(([kind, label]) => {
    const options = runs.filter((run) => run.kind === kind).map(option);
    return options.length ? [html("optgroup", { label }, ...options)] : [];
  });
}

function option({ name, kind }) {
  const shown = name === "." ? ". (the log folder)" : shortenTo(name, LONGEST);
  return html("option", { value: `${kind}:${name}`, title: name }, shown);
}
