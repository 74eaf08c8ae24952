const PERIOD = 5_000;

/**
 * Asks a source for the runs, and for the data of those that are shown, every few seconds
 * while the page is visible. Handlers:
 *   onRuns(runs)            must return the runs to show [{kind, name, version}], the
 *                           most important one first
 *   onPayload(payload, run) for new data of one of them
 *   onRound(missing)        after each round that the source answered, with the runs
 *                           that do not exist
 *   onFailure(error)        after each other round
 */
export function createPoller(source, { onRuns, onPayload, onRound, onFailure }) {
  let round = new AbortController();
  let timer = 0;

  async function ask() {
    // An earlier request may be about another run, so its answer must not appear.
    round.abort();
    round = new AbortController();
    const { signal } = round;
    clearTimeout(timer);
    try {
      await askOnce(signal);
    } catch (error) {
      if (!signal.aborted) onFailure(error);
    }
    if (source.live && !signal.aborted) timer = setTimeout(askIfSeen, PERIOD);
  }

  async function askOnce(signal) {
    const runs = await source.runs(signal);
    if (signal.aborted) return;
    const missing = [];
    const askFor = async (run) => {
      const payload = await source.payload(run, run.version, signal);
      if (signal.aborted) return;
      if (payload === null) missing.push(run);
      else if (!payload.unchanged) onPayload(payload, run);
    };
    const [first, ...others] = onRuns(runs);
    // The first run does not wait for the others.
    if (first) await askFor(first);
    await Promise.all(others.map(askFor));
    if (!signal.aborted) onRound(missing);
  }

  function askIfSeen() {
    if (!document.hidden) ask();
  }

  document.addEventListener("visibilitychange", askIfSeen);
  return { ask };
}
