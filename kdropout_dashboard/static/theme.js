const DARK = "(prefers-color-scheme: dark)";

/** Follows TensorBoard's light or dark mode, or else the system's. */
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

/** Whether the page is dark now. */
export function currentTheme() {
  return document.documentElement.dataset.theme;
}

function isDark(host, media) {
  return host ? host.classList.contains("dark-mode") : media.matches;
}

/** The body of the TensorBoard around this page, or null. */
function tensorBoard() {
  try {
    const outside = window.parent === window ? null : window.parent.document;
    return outside?.querySelector("tb-webapp") ? outside.body : null;
  } catch {
    // A parent of another origin may not be looked at.
    return null;
  }
}
