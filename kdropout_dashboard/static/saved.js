import { start } from "./app.js";
import { savedSource } from "./source.js";

/** Called in the page that `page.py` makes, which holds its data. */
export function render() {
  const data = document.querySelector('script[type="application/json"]');
  start(document.body, savedSource(JSON.parse(data.textContent)));
}
