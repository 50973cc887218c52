"use strict";
// How long the reader was at work on the form: the tab visible, and not idle for over a minute.
// A rough measure beside the server's own times; nothing is kept in the browser.
(() => {
  const IDLE = 60_000;
  const SIGNS_OF_LIFE = ["pointermove", "pointerdown", "wheel", "keydown", "scroll", "touchmove"];
  let counted = 0;
  let since = performance.now();
  let lastSign = since;

  function settle() {
    const now = performance.now();
    if (document.visibilityState === "visible") {
      counted += Math.max(0, Math.min(now, lastSign + IDLE) - since);
    }
    since = now;
  }

  for (const name of SIGNS_OF_LIFE) {
    document.addEventListener(name, () => { settle(); lastSign = since; }, { capture: true, passive: true });
  }
  document.addEventListener("visibilitychange", () => {
    const now = performance.now();
    if (document.visibilityState === "hidden") {
      // The tab was visible until this moment.
      counted += Math.max(0, Math.min(now, lastSign + IDLE) - since);
    }
    since = now;
    lastSign = now;
  });

  window.activeTime = {
    restart() { counted = 0; since = lastSign = performance.now(); },
    milliseconds() { settle(); return Math.round(counted); },
  };
})();
