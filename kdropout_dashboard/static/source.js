const LONGEST_WAIT = 60_000;

/** Reads data from the plugin's routes below `base`. They change during a training. */
export function servedSource(base) {
  // The clock of the server may differ from that of this machine.
  let ahead = 0;
  const read = async (route, query, signal) => {
    const url = new URL(route, base);
    url.search = new URLSearchParams(query);
    const limit = AbortSignal.timeout(LONGEST_WAIT);
    const response = await fetch(url, { signal: AbortSignal.any([signal, limit]) });
    const date = Date.parse(response.headers.get("date"));
    if (Number.isFinite(date)) ahead = date - Date.now();
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`status ${response.status}`);
    return response.json();
  };
  return {
    live: true,
    now: () => Date.now() + ahead,
    runs: async (signal) => (await read("runs", {}, signal))?.runs ?? [],
    payload: ({ name, kind, sharedBy = 1 }, version, signal) => {
      const shared = sharedBy > 1 ? { shared_by: sharedBy } : {};
      return read(kind, { run: name, version, ...shared }, signal);
    },
  };
}

/** Reads data that are stored in the page. */
export function savedSource({ runs, trainings, searches, answers = {} }) {
  const payloads = { training: trainings, search: withAnswers(searches, answers) };
  return {
    live: false,
    now: Date.now,
    runs: async () => runs,
    payload: async ({ name, kind }) =>
      Object.hasOwn(payloads[kind], name) ? payloads[kind][name] : null,
  };
}

/** Adds the answer of its report to each search, if there is one. */
function withAnswers(searches, answers) {
  const entries = Object.entries(searches).map(([name, payload]) => {
    const answer = Object.hasOwn(answers, name) ? answers[name] : null;
    return [name, { ...payload, answer }];
  });
  return Object.fromEntries(entries);
}
