"use strict";
// The figures of a fold are fetched when it is opened, all of them: one that waits until it is
// scrolled to would be blank on paper.
document.addEventListener("toggle", (event) => {
  if (!event.target.open) return;
  for (const figure of event.target.querySelectorAll("img[loading=lazy]")) figure.loading = "eager";
}, true); // a toggle does not bubble
