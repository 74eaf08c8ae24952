import { tensorBoardWindow } from "./theme.js";

// TensorBoard keeps parts of its address that begin with "p." and the name of a plugin.
const PREFIX = "p.kdropout.";
// The part that names the tab.
const TAB = "kdropout";

/**
 * Keeps texts by name after the "#" of the address: of TensorBoard's page if this page is
 * its tab, else of this page.
 */
export function createAddress() {
  const host = tensorBoardWindow();
  const page = host ?? window;
  const prefix = host ? PREFIX : "";
  const parts = () => page.location.hash.slice(1).split("&").filter(Boolean);
  const isOurs = (part) => part.includes("=") && part.startsWith(prefix);
  let written = {};

  function write(texts) {
    written = texts;
    const others = parts().filter((part) => !isOurs(part));
    const ours = Object.entries(texts).map(
      ([name, text]) => `${prefix}${name}=${encodeURIComponent(text)}`,
    );
    const hash = `#${[...others, ...ours].join("&")}`;
    if (hash === page.location.hash || (hash === "#" && !page.location.hash)) return;
    // A new entry in the history for each click would make "back" useless.
    page.history.replaceState(page.history.state, "", hash);
  }

  return {
    read() {
      const pairs = parts()
        .filter(isOurs)
        .map((part) => {
          const end = part.indexOf("=");
          return [part.slice(prefix.length, end), decoded(part.slice(end + 1))];
        });
      written = Object.fromEntries(pairs);
      return written;
    },
    write,
    /** Calls `onChange` if the user or a link changes the address. */
    listen(onChange) {
      // TensorBoard removes the texts when it goes to another tab.
      const changed = () => {
        if (!host || parts().some(isOurs)) onChange();
        else if (parts().includes(TAB)) write(written);
      };
      page.addEventListener("hashchange", changed);
      window.addEventListener("pagehide", () =>
        page.removeEventListener("hashchange", changed),
      );
    },
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a "%" that nobody encoded
  }
}
