"use strict";

// What the frame tells that this page is in: Airflow's choice of light or dark, and whether files may be kept from it.
(() => {
  let frame = null;
  function take(outer) {
    let theme = "";
    if (frame) theme = outer.contains("dark") ? "dark" : outer.contains("light") ? "light" : "";
    theme = theme || window.localStorage.getItem("theme") || "";
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  }
  try {
    frame = window.frameElement;
    const outer = window.parent.document.documentElement;
    take(outer.classList);
    // Somebody may choose the other one while this page is shown.
    if (frame) new MutationObserver(() => take(outer.classList)).observe(outer, { attributeFilter: ["class"] });
  } catch {
    // Another site's frame tells nothing.
  }

  // Airflow 3.1 to 3.3 allow no downloads from the frame: there, a file is shown instead.
  if (!frame || !frame.sandbox.length || frame.sandbox.contains("allow-downloads")) return;
  document.addEventListener("DOMContentLoaded", () => {
    for (const link of document.querySelectorAll("a[download]")) {
      link.removeAttribute("download");
      link.href += "?show=true";
    }
  });
})();
