const LONGEST_WAIT = 60_000;

/** Data from the plugin's routes below `base`, which change while training runs. */
export function servedSource(base) {
  const read = async (route, query, signal) => {
    const url = new URL(route, base);
    url.search = new URLSearchParams(query);
    const limit = AbortSignal.timeout(LONGEST_WAIT);
    const response = await fetch(url, { signal: AbortSignal.any([signal, limit]) });
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`status ${response.status}`);
    return response.json();
  };
  return {
    live: true,
    runs: async (signal) => (await read("runs", {}, signal))?.runs ?? [],
    payload: ({ name, kind }, version, signal) =>
      read(kind, { run: name, version }, signal),
  };
}

/** Data that lie in the page itself. */
export function savedSource({ runs, trainings, searches, answers = {} }) {
  const payloads = { training: trainings, search: withAnswers(searches, answers) };
  return {
    live: false,
    runs: async () => runs,
    payload: async ({ name, kind }) =>
      Object.hasOwn(payloads[kind], name) ? payloads[kind][name] : null,
  };
}

/** The searches, each with what its report says, if there is one. */
function withAnswers(searches, answers) {
  const entries = Object.entries(searches).map(([name, payload]) => {
    const answer = Object.hasOwn(answers, name) ? answers[name] : null;
    return [name, { ...payload, answer }];
  });
  return Object.fromEntries(entries);
}
