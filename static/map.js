"use strict";
// The model's map, once it is released: over the image, off while a key is held, or beside the
// plain image; and for how long it was looked at. Its address is in the page only after the reveal.
(() => {
  const room = window.viewerRoom;
  const STRENGTH = 0.75; // the lesion stays visible under its map; as the slider begins
  const map = { shown: true, strength: STRENGTH, held: false };
  let compared = false; // the plain image stands beside
  let looked = { milliseconds: 0, since: null, case: "" };

  const addressOf = (element) => element.closest("[data-slide]")?.dataset.overlay;
  const visible = () => map.shown !== map.held;

  function add(element, entry) {
    const url = addressOf(element);
    if (!url || entry.plain || entry.map || entry.asked || element.dataset.opened === undefined) return;
    entry.asked = true;
    entry.viewer.addTiledImage({
      tileSource: { type: "image", url },
      width: 1, // as wide as the image beneath
      opacity: visible() ? map.strength : 0,
      success: (event) => { entry.map = event.item; element.dataset.mapped = ""; paint(); },
      error: () => {
        entry.asked = false;
        room.sayFailed(element, _("The model's map did not load."), () => add(element, entry));
      },
    });
  }

  function paint() {
    for (const { map: item } of room.viewers.values()) item?.setOpacity(visible() ? map.strength : 0);
    room.press("[data-map-toggle]", visible());
    count();
  }

  // ---------------------------------------------------------------- beside the plain image

  function compare() {
    const element = room.slide()?.querySelector("[data-viewer]");
    for (const [other, { plain }] of [...room.viewers]) {
      if (plain && (!compared || other.parentElement !== element?.parentElement)) { room.close(other); other.remove(); }
    }
    const wanted = compared && Boolean(element && addressOf(element));
    room.press("[data-compare]", wanted);
    if (!wanted || element.parentElement.querySelector("[data-plain]")) return;
    const plain = document.createElement("div");
    plain.className = "viewer";
    Object.assign(plain.dataset, {
      plain: "", src: element.dataset.src, label: _("{image}, without the map", { image: element.dataset.label }),
      mmPerPixel: element.dataset.mmPerPixel ?? "",
    });
    element.before(plain);
    room.open(plain, { plain: true });
  }

  // ---------------------------------------------------------------- for how long

  // Whether a map lies open to the eye: loaded, not off, in a tab that shows.
  function open() {
    const loaded = [...room.viewers.values()].some((entry) => entry.map);
    return loaded && visible() && map.strength > 0 && document.visibilityState === "visible";
  }

  function count() {
    const now = performance.now();
    if (looked.since !== null) looked.milliseconds += now - looked.since;
    looked.since = open() ? now : null;
  }

  Object.assign(room, {
    peek(held) { map.held = held; paint(); },
    compare() { compared = !compared; compare(); },
    // A new case begins with its map on, at the strength the slider shows.
    refreshMap() {
      const now = document.querySelector("[data-stage]")?.dataset.case ?? "";
      if (now !== looked.case) {
        looked = { milliseconds: 0, since: null, case: now };
        Object.assign(map, { shown: true, strength: STRENGTH, held: false });
      }
      for (const [element, entry] of room.viewers) add(element, entry);
      compare();
      paint();
    },
    mapMilliseconds() { count(); return Math.round(looked.milliseconds); },
    // Nor is an aided call a reading on a map that was never there.
    ready: () => room.opened() && [...room.viewers].every(([element, { plain, map: item }]) => plain || !addressOf(element) || item),
  });

  document.addEventListener("viewer:opened", ({ detail }) => add(detail.element, detail.entry));
  document.addEventListener("viewer:shown", ({ detail }) => {
    add(detail.element, room.viewers.get(detail.element));
    compare();
  });
  document.addEventListener("visibilitychange", count);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-map-toggle]")) { map.shown = !map.shown; paint(); }
    if (event.target.closest("[data-compare]")) room.compare();
  });
  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-map-strength]")) return;
    map.strength = event.target.value / 100;
    map.shown = true;
    paint();
  });
  window.addEventListener("blur", () => room.peek(false));
})();
