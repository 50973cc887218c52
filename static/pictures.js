"use strict";
// A browser fetches these pictures as they are scrolled to, and when it prints it waits for the rest
// a few seconds only. One that has not come by then is left away on paper, and the page says so.
for (const picture of document.querySelectorAll("img[loading=lazy]")) {
  if (picture.complete) continue;
  picture.dataset.waiting = "";
  picture.addEventListener("load", () => delete picture.dataset.waiting, { once: true });
}
