import { start } from "./app.js";
import { savedSource } from "./source.js";

/** The page that `page.py` makes calls this. The data are in the page. */
export function render() {
  const data = document.querySelector('script[type="application/json"]');
  start(document.body, savedSource(JSON.parse(data.textContent)));
}
