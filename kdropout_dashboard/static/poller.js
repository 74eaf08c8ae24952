const PERIOD = 5_000;

/**
 * Asks a source for the runs and the chosen run every few seconds while the page is
 * visible. Handlers:
 *   onRuns(runs)          must return the run to show, or null
 *   onPayload(payload)    for new data of that run
 *   onRound(missing)      after each round that the source answered
 *   onFailure(error)      after each other round
 */
export function createPoller(source, { onRuns, onPayload, onRound, onFailure }) {
  let version = "";
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
    const run = onRuns(runs);
    const payload = run && (await source.payload(run, version, signal));
    if (signal.aborted) return;
    if (payload && !payload.unchanged) {
      onPayload(payload, run);
      version = payload.version ?? "";
    }
    onRound(run !== null && payload === null);
  }

  function askIfSeen() {
    if (!document.hidden) ask();
  }

  document.addEventListener("visibilitychange", askIfSeen);
  return {
    ask,
    /** Starts again with another run. */
    restart() {
      version = "";
      ask();
    },
  };
}
