import { start } from "./app.js";
import { servedSource } from "./source.js";

/** TensorBoard calls this in the empty document of the tab. */
export function render() {
  const href = new URL("./style.css", import.meta.url);
  const style = document.createElement("link");
  const begin = () =>
    start(document.body, servedSource(new URL("./", import.meta.url)));
  // The charts measure the space that the style gives them.
  style.addEventListener("load", begin);
  style.addEventListener("error", begin);
  style.rel = "stylesheet";
  style.href = href;
  document.documentElement.lang = "en";
  document.head.append(style);
}
