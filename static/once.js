"use strict";
// A form is sent once: a second press while its answer is awaited sends nothing. Who stopped the
// browser meanwhile can press again after a while.
(() => {
  const WHILE = 10_000; // ms
  const sent = new Map(); // form -> when

  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return; // another script sends it
    const form = event.target;
    if (Date.now() - (sent.get(form) ?? -WHILE) < WHILE) {
      event.preventDefault();
      return;
    }
    sent.set(form, Date.now());
    form.setAttribute("aria-busy", "true");
  });
  // Back from the answer, the form may be filled in anew.
  window.addEventListener("pageshow", () => {
    for (const form of sent.keys()) form.removeAttribute("aria-busy");
    sent.clear();
  });
})();
