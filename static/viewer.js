"use strict";
// The image viewer of the reading room: zoom, the images of a case one by one or side by side, the
// scale bar, the next case's images ahead. A viewer element survives the swap from the unaided to
// the aided call (hx-preserve), so zoom and place are kept. map.js adds the model's map.
(() => {
  const viewers = new Map(); // element -> { viewer, plain, place, resizing, map }
  const ahead = new Map(); // address -> Image: held, the browser need not ask for it again
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const LENGTHS = [100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05]; // of the scale bar, in mm
  const LONGEST = 140; // of the scale bar, in pixels of the screen
  const HOME = { enlarged: 1, centre: null }; // the whole image, fitted
  let chosen = { case: "", slide: "" };
  let side = false; // all images of a case side by side
  let linked = true;
  let following = false;
  let greatest = 1;

  const stage = () => document.querySelector("[data-stage]");
  const slides = () => [...document.querySelectorAll("[data-slide]")];
  const main = (slide) => slide?.querySelector("[data-viewer]");
  const currentSlide = () => document.getElementById(chosen.slide);
  const current = () => viewers.get(main(currentSlide()));

  // OpenSeadragon adds a style element that would take the focus ring away on touch screens,
  // unless it finds one; the policy forbids inline styles, and we want the ring.
  const inert = document.createElementNS("", "style"); // no HTML element: it styles nothing
  inert.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(inert);

  function open(element, { plain = false } = {}) {
    const viewer = OpenSeadragon({
      element,
      drawer: "canvas", // the colours of the file, no graphics driver in between
      showNavigationControl: false,
      animationTime: calm ? 0 : 0.5,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsTouch: { pinchRotate: false },
      maxZoomPixelRatio: 8,
      visibilityRatio: 0.5,
      tileSources: { type: "image", url: element.dataset.src },
    });
    const entry = { viewer, plain, place: HOME, resizing: "", map: null };
    viewer.addHandler("open", () => opened(element, entry));
    viewer.addHandler("open-failed", () => failed(element, plain));
    viewer.addHandler("canvas-key", keepToArrows);
    viewer.addHandler("pan", () => moved(element, entry));
    viewer.addHandler("zoom", () => (entry.resizing === "last" ? resized(entry) : moved(element, entry)));
    // OpenSeadragon answers a new size in several steps, with a place of its own; the last is a zoom.
    viewer.addHandler("resize", () => { entry.resizing = "under way"; });
    viewer.addHandler("after-resize", () => { entry.resizing = "last"; });
    for (const name of ["animation", "open", "update-viewport"]) viewer.addHandler(name, () => measure(element, entry));
    viewer.canvas.setAttribute("role", "application");
    viewer.canvas.setAttribute("aria-label", _("{image}. Arrow keys move it.", { image: element.dataset.label }));
    viewers.set(element, entry);
    return entry;
  }

  function opened(element, entry) {
    element.dataset.opened = "";
    const viewport = entry.viewer.viewport;
    // Also a small image can be enlarged fourfold.
    viewport.maxZoomLevel = Math.max(viewport.getMaxZoom(), 4 * viewport.getHomeZoom());
    ahead.delete(element.dataset.src);
    // What comes beside an image begins where that one is.
    const leader = [...viewers].find(([other, held]) => held !== entry && together(other, element) && shownIn(other));
    if (leader) follow(entry, leader[1], { immediately: true });
    measure(element, entry);
    document.dispatchEvent(new CustomEvent("viewer:opened", { detail: { element, entry } }));
  }

  // The viewer's own letter keys would collide with the keys of the call.
  function keepToArrows(event) {
    if (!event.originalEvent.key.startsWith("Arrow")) event.preventDefaultAction = true;
  }

  function failed(element, plain) {
    delete element.dataset.opened;
    sayFailed(element, _("The image did not load."), () => { close(element); open(element, { plain }); });
  }

  function sayFailed(element, sentence, retry) {
    const note = document.createElement("div");
    note.className = "viewer-failed";
    note.setAttribute("role", "alert");
    note.append(`${sentence} `);
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = _("Load it again");
    again.addEventListener("click", () => { note.remove(); retry(); });
    note.append(again);
    element.append(note);
  }

  function close(element) {
    viewers.get(element)?.viewer.destroy();
    viewers.delete(element);
  }

  // ---------------------------------------------------------------- moved together

  const enlarged = (viewport) => viewport.getZoom() / viewport.getHomeZoom();
  const height = (viewer) => viewer.world.getItemAt(0)?.getBounds().height ?? 1; // width is 1

  // The same image with and without its map, or the images of a case side by side.
  const together = (one, other) => one.parentElement === other.parentElement || side && linked;
  const shownIn = (element) => element.dataset.opened !== undefined && !element.closest("[hidden]");

  function moved(element, entry) {
    if (entry.resizing || following) return;
    const viewport = entry.viewer.viewport;
    entry.place = { enlarged: enlarged(viewport), centre: viewport.getCenter() };
    const aside = entry.place.centre.distanceTo(viewport.getHomeBounds().getCenter());
    if (Math.abs(entry.place.enlarged - 1) < 0.01 && aside < 0.01) entry.place = HOME;
    for (const [other, held] of viewers) {
      if (other !== element && together(other, element) && other.dataset.opened !== undefined) follow(held, entry);
    }
  }

  function follow(held, leader, { immediately = false } = {}) {
    const centre = leader.place.centre;
    held.place = centre
      ? { ...leader.place, centre: new OpenSeadragon.Point(centre.x, centre.y * height(held.viewer) / height(leader.viewer)) }
      : HOME;
    goTo(held, immediately);
  }

  // Bring a viewer to its place, which no other follows.
  function goTo({ viewer: { viewport }, place }, immediately) {
    following = true;
    if (place.centre) {
      viewport.zoomTo(viewport.getHomeZoom() * place.enlarged, null, immediately);
      viewport.panTo(place.centre, immediately);
    } else viewport.goHome(immediately);
    following = false;
  }

  // A fitted image fits the new size too; of an enlarged one the same place stays in the middle.
  function resized(entry) {
    entry.resizing = "";
    goTo(entry, true);
  }

  // ---------------------------------------------------------------- zoom and millimetres

  function measure(element, { viewer }) {
    const viewport = viewer.viewport;
    if (!viewport || element.dataset.opened === undefined) return;
    greatest = Math.max(greatest, viewport.getZoom(true) / viewport.getHomeZoom());
    const mm = Number(element.dataset.mmPerPixel);
    if (!mm) return;
    const image = viewer.world.getItemAt(0);
    const pixels = image.viewportToImageZoom(viewport.getZoom(true)) / mm; // of the screen, in a mm
    const length = LENGTHS.find((each) => each * pixels <= LONGEST) ?? LENGTHS.at(-1);
    const bar = element.querySelector(".scale-bar") ?? element.appendChild(scaleBar());
    bar.firstChild.style.width = `${length * pixels}px`;
    bar.lastChild.textContent = `${length} mm`;
  }

  function scaleBar() {
    const bar = document.createElement("p");
    bar.className = "scale-bar";
    bar.append(document.createElement("span"), document.createElement("span"));
    return bar;
  }

  // ---------------------------------------------------------------- which images show

  function show(id) {
    chosen = { case: stage().dataset.case, slide: id };
    const all = side && slides().length > 1;
    document.querySelector("[data-slides]").classList.toggle("beside", all);
    for (const slide of slides()) slide.hidden = !all && slide.id !== id;
    for (const slide of all ? slides() : [currentSlide()]) {
      const element = main(slide);
      if (viewers.has(element)) document.dispatchEvent(new CustomEvent("viewer:shown", { detail: { element } }));
      else open(element);
    }
    for (const button of document.querySelectorAll("[data-show]")) {
      button.setAttribute("aria-pressed", String(!all && button.dataset.show === id));
    }
    press("[data-all-images]", all);
    press("[data-linked]", linked);
    const link = document.querySelector("[data-linked]");
    if (link) link.hidden = !all;
  }

  function press(selector, pressed) {
    document.querySelector(selector)?.setAttribute("aria-pressed", String(pressed));
  }

  const zoom = {
    in: (viewport) => viewport.zoomBy(1.4),
    out: (viewport) => viewport.zoomBy(1 / 1.4),
    fit: (viewport) => viewport.goHome(),
  };

  window.viewerRoom = {
    viewers, open, close, sayFailed, press,
    slide: currentSlide,
    // After each swap: drop the viewers that left, open those that came, fetch what comes next.
    refresh() {
      for (const element of [...viewers.keys()]) if (!element.isConnected) close(element);
      const found = slides();
      if (found.length) {
        if (stage().dataset.case !== chosen.case) chosen = { case: stage().dataset.case, slide: found[0].id };
        show(chosen.slide);
      }
      this.fetchAhead();
    },
    // Held by the page alone and gone with it: no-store keeps every image off the disk.
    fetchAhead() {
      for (const address of document.getElementById("room")?.dataset.ahead?.split(" ") ?? []) {
        if (ahead.has(address)) continue;
        const image = new Image();
        image.src = address;
        ahead.set(address, image);
      }
    },
    zoom(way) {
      const viewport = current()?.viewer.viewport;
      if (!viewport) return;
      zoom[way](viewport);
      viewport.applyConstraints();
    },
    // By an eighth of what is seen; false where the whole image is seen anyway.
    pan(across, down) {
      const entry = current();
      if (!entry?.place.centre) return false;
      const seen = entry.viewer.viewport.getBounds();
      entry.viewer.viewport.panBy(new OpenSeadragon.Point(across * seen.width / 8, down * seen.height / 8));
      entry.viewer.viewport.applyConstraints();
      return true;
    },
    next() {
      const found = slides();
      if (found.length < 2) return;
      side = false;
      show(found[(found.indexOf(currentSlide()) + 1) % found.length].id);
    },
    allImages() {
      if (slides().length < 2) return;
      side = !side;
      show(chosen.slide);
    },
    restartZoom() { greatest = 1; },
    greatestZoom: () => Math.min(greatest, 1000).toFixed(2),
    // A call on an image that was never shown would be no reading.
    opened: () => [...viewers].every(([element, { plain }]) => plain || element.dataset.opened !== undefined),
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-zoom], [data-show], [data-all-images], [data-linked], [data-full-screen]");
    if (!button) return;
    if (button.dataset.zoom) window.viewerRoom.zoom(button.dataset.zoom);
    if (button.dataset.show) { side = false; show(button.dataset.show); }
    if (button.matches("[data-all-images]")) window.viewerRoom.allImages();
    if (button.matches("[data-linked]")) { linked = !linked; press("[data-linked]", linked); }
    if (button.matches("[data-full-screen]")) {
      // The whole page, not the image alone: the form must stay in sight.
      if (document.fullscreenElement) document.exitFullscreen();
      else document.documentElement.requestFullscreen().catch(() => {});
    }
  });
  document.addEventListener("fullscreenchange", () => press("[data-full-screen]", Boolean(document.fullscreenElement)));
})();
