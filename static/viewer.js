"use strict";
// The image viewer of the reading room: zoom, the images of a case, the model's map as a second
// layer. A viewer element survives the swap from the unaided to the aided call (hx-preserve), so
// zoom and place are kept; its map arrives with the new markup around it.
(() => {
  const viewers = new Map(); // element -> { viewer, map }
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const STRENGTH = 0.75; // the lesion stays visible under its map; as the slider begins
  const map = { shown: true, strength: STRENGTH };
  let chosen = { case: "", slide: "" };

  const stage = () => document.querySelector("[data-stage]");
  const currentSlide = () => document.querySelector("[data-slide]:not([hidden])");
  const current = () => viewers.get(currentSlide()?.querySelector("[data-viewer]"));

  // OpenSeadragon adds a style element that would take the focus ring away on touch screens,
  // unless it finds one; the policy forbids inline styles, and we want the ring.
  const inert = document.createElementNS("", "style"); // no HTML element: it styles nothing
  inert.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(inert);

  function open(element) {
    const viewer = OpenSeadragon({
      element,
      drawer: "canvas", // the colours of the file, no graphics driver in between
      showNavigationControl: false,
      animationTime: calm ? 0 : 0.5,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      maxZoomPixelRatio: 8,
      visibilityRatio: 0.5,
      tileSources: { type: "image", url: element.dataset.src },
    });
    const entry = { viewer, map: null };
    viewer.addHandler("open", () => { element.dataset.opened = ""; addMap(element, entry); });
    viewer.addHandler("open-failed", () => failed(element));
    viewer.addHandler("canvas-key", keepToArrows);
    viewer.canvas.setAttribute("role", "application");
    viewer.canvas.setAttribute("aria-label", `${element.dataset.label}. Arrow keys move it.`);
    viewers.set(element, entry);
  }

  // The viewer's own letter keys would collide with the keys of the call.
  function keepToArrows(event) {
    if (!event.originalEvent.key.startsWith("Arrow")) event.preventDefaultAction = true;
  }

  function failed(element) {
    delete element.dataset.opened;
    sayFailed(element, "The image did not load. ", () => { close(element); open(element); });
  }

  function sayFailed(element, sentence, retry) {
    const note = document.createElement("div");
    note.className = "viewer-failed";
    note.setAttribute("role", "alert");
    note.append(sentence);
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Load it again";
    again.addEventListener("click", () => { note.remove(); retry(); });
    note.append(again);
    element.append(note);
  }

  function close(element) {
    viewers.get(element)?.viewer.destroy();
    viewers.delete(element);
  }

  function addMap(element, entry) {
    const url = element.closest("[data-slide]")?.dataset.overlay;
    if (!url || entry.map || entry.asked || element.dataset.opened === undefined) return;
    entry.asked = true;
    entry.viewer.addTiledImage({
      tileSource: { type: "image", url },
      width: 1, // as wide as the image beneath
      opacity: map.shown ? map.strength : 0,
      success: (event) => { entry.map = event.item; element.dataset.mapped = ""; paintMap(); },
      error: () => {
        entry.asked = false;
        sayFailed(element, "The model's map did not load. ", () => addMap(element, entry));
      },
    });
  }

  function paintMap(inverted = false) {
    const shown = map.shown !== inverted;
    for (const entry of viewers.values()) entry.map?.setOpacity(shown ? map.strength : 0);
    document.querySelector("[data-map-toggle]")?.setAttribute("aria-pressed", String(shown));
  }

  function show(id) {
    chosen = { case: stage().dataset.case, slide: id };
    for (const slide of document.querySelectorAll("[data-slide]")) slide.hidden = slide.id !== id;
    const element = currentSlide().querySelector("[data-viewer]");
    if (viewers.has(element)) addMap(element, viewers.get(element));
    else open(element);
    for (const button of document.querySelectorAll("[data-show]")) {
      button.setAttribute("aria-pressed", String(button.dataset.show === id));
    }
  }

  const zoom = {
    in: (viewport) => viewport.zoomBy(1.4),
    out: (viewport) => viewport.zoomBy(1 / 1.4),
    fit: (viewport) => viewport.goHome(),
  };

  window.viewerRoom = {
    // After each swap: drop the viewers that left, open those that came.
    refresh() {
      for (const element of [...viewers.keys()]) if (!element.isConnected) close(element);
      const slides = [...document.querySelectorAll("[data-slide]")];
      if (!slides.length) return;
      if (stage().dataset.case !== chosen.case) {
        chosen = { case: stage().dataset.case, slide: slides[0].id };
        Object.assign(map, { shown: true, strength: STRENGTH });
      }
      show(chosen.slide);
    },
    zoom(way) {
      const viewport = current()?.viewer.viewport;
      if (!viewport) return;
      zoom[way](viewport);
      viewport.applyConstraints();
    },
    next() {
      const slides = [...document.querySelectorAll("[data-slide]")];
      if (slides.length > 1) show(slides[(slides.indexOf(currentSlide()) + 1) % slides.length].id);
    },
    peek: (held) => paintMap(held),
    // A call on an image that was never shown would be no reading.
    // Nor is an aided call one on a map that was never there.
    ready: () => [...viewers].every(([element, entry]) => element.dataset.opened !== undefined
      && (!element.closest("[data-slide]")?.dataset.overlay || entry.map)),
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom], [data-show], [data-map-toggle], [data-full-screen]");
    if (!button) return;
    if (button.dataset.zoom) window.viewerRoom.zoom(button.dataset.zoom);
    if (button.dataset.show) show(button.dataset.show);
    if (button.matches("[data-map-toggle]")) { map.shown = !map.shown; paintMap(); }
    if (button.matches("[data-full-screen]")) {
      // The whole page, not the image alone: the form must stay in sight.
      if (document.fullscreenElement) document.exitFullscreen();
      else document.documentElement.requestFullscreen().catch(() => {});
    }
  });
  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-map-strength]")) return;
    map.strength = event.target.value / 100;
    map.shown = true;
    paintMap();
  });
  document.addEventListener("fullscreenchange", () => {
    document.querySelector("[data-full-screen]")
      ?.setAttribute("aria-pressed", String(Boolean(document.fullscreenElement)));
  });
})();
