"use strict";
// What the scripts say, in the page's language. English stands in the scripts; another language's
// page brings the rest in <meta name="texts">. Loaded before every script that speaks.
(() => {
  const known = JSON.parse(document.querySelector("meta[name=texts]")?.content ?? "{}");

  // `values` fill the braces: _("Saved {time}", { time }).
  window._ = (english, values = {}) =>
    (known[english] ?? english).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
})();
