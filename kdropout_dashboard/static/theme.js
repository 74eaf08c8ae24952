const DARK = "(prefers-color-scheme: dark)";

/** Follows the light or dark mode of TensorBoard, or of the system without it. */
export function watchTheme(onChange) {
  const media = window.matchMedia(DARK);
  const host = tensorBoard();
  const update = () => {
    const theme = isDark(host, media) ? "dark" : "light";
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    onChange(theme);
  };
  media.addEventListener("change", update);
  if (host) {
    const watched = { attributes: true, attributeFilter: ["class"] };
    new MutationObserver(update).observe(host, watched);
  }
  update();
}

/** Returns the current theme, "light" or "dark". */
export function currentTheme() {
  return document.documentElement.dataset.theme;
}

function isDark(host, media) {
  return host ? host.classList.contains("dark-mode") : media.matches;
}

/** Returns the body of the TensorBoard around this page, or null. */
function tensorBoard() {
  return tensorBoardWindow()?.document.body ?? null;
}

/** Returns the window of the TensorBoard around this page, or null. */
export function tensorBoardWindow() {
  try {
    const outside = window.parent === window ? null : window.parent;
    return outside?.document.querySelector("tb-webapp") ? outside : null;
  } catch {
    // A parent of another origin cannot be read.
    return null;
  }
}
