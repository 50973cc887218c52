"use strict";
// The reading room: keys, the unset confidence, locking, pauses, and where the focus goes. Works by
// listeners on the document, so that swapped parts need none. Nothing is kept in the browser.
(() => {
  const CALM = 250; // ms for which a second press of Enter does not ask for the next case as well
  const MINUTE = 60_000;
  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  const viewers = window.viewerRoom;
  let question = "";
  let single = null; // single keys on or off; null: as the page says
  let acts = {}; // key -> what it does
  let sitting = null; // { since, finished } of the cases read without a pause
  let pauseWanted = false;

  const room = () => document.getElementById("room");
  const form = () => document.querySelector("[data-call-form]");
  const within = (selector) => room()?.querySelector(selector);
  const finished = () => within(".way")?.value ?? 0;

  // ---------------------------------------------------------------- single keys

  function showKeys() {
    single ??= room().dataset.singleKeys !== "off";
    acts = JSON.parse(room().dataset.keys ?? "{}");
    document.body.classList.toggle("keys-off", !single);
    document.body.dataset.keys = single ? "on" : "off";
    const box = within("[data-keys-switch]");
    if (box) box.checked = single;
  }

  function setKeys(on) {
    single = on;
    showKeys();
    // Kept with the account; where it does not arrive, it still holds for this page.
    const body = new URLSearchParams({ single_keys: on ? "yes" : "no" });
    fetch("/keys/single", { method: "POST", body, redirect: "manual" }).catch(() => {});
  }

  const does = {
    bcc: () => choose("BCC"),
    sk: () => choose("SK"),
    biopsy: () => choose("biopsy", "management"),
    no_biopsy: () => choose("no_biopsy", "management"),
    bcc_biopsy: () => chooseBoth("BCC", "biopsy"),
    bcc_no_biopsy: () => chooseBoth("BCC", "no_biopsy"),
    sk_biopsy: () => chooseBoth("SK", "biopsy"),
    sk_no_biopsy: () => chooseBoth("SK", "no_biopsy"),
    lock: () => form()?.requestSubmit(),
    compare: () => viewers.compare(),
    next_image: () => viewers.next(),
    all_images: () => viewers.allImages(),
    zoom_in: () => viewers.zoom("in"),
    zoom_out: () => viewers.zoom("out"),
    fit: () => viewers.zoom("fit"),
  };

  const actOf = (key) => acts[key.toLowerCase()] ?? (key === "=" ? acts["+"] : undefined);

  function choose(answer, question = "call") {
    if (window.sending.waits()) return;
    const radio = form()?.querySelector(`[name="${question}"][value="${answer}"]`);
    if (radio) { radio.checked = true; forgetComplaint(); }
  }

  // Where management is not asked, such a key chooses nothing.
  function chooseBoth(call, management) {
    if (!form()?.elements.management) return;
    choose(call);
    choose(management, "management");
  }

  const typing = (target) => target.matches("input:not([type=radio], [type=range], [type=checkbox]), textarea, select");

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || window.sending.tooSmall.matches) return;
    if (target.matches("[data-slider]") && arrows(event)) return;
    if (ARROWS[key] && !target.matches("input, textarea, [role=application]") && viewers.pan(...ARROWS[key])) {
      event.preventDefault();
      return;
    }
    if (event.repeat) {
      // Enter held down must not run on into the next question.
      if (key === "Enter") event.preventDefault();
      return;
    }
    if (key === "Enter") return enter(event);
    if (document.body.dataset.keys !== "on" || typing(target) || target.matches("[data-map-strength]") && /^\d$/.test(key)) return;
    const act = actOf(key);
    if (act === "peek") return viewers.peek(true);
    const doing = /^\d$/.test(key) && form() ? confidenceOf(key) : does[act];
    if (!doing) return;
    event.preventDefault();
    doing();
  });

  document.addEventListener("keyup", (event) => {
    if (actOf(event.key) === "peek") viewers.peek(false);
  });

  function enter(event) {
    if (event.target.closest("button, a, summary") || !form()) return;
    if (!typing(event.target) && document.body.dataset.keys !== "on" && !form().contains(event.target)) return;
    if (event.target.matches("textarea")) return; // there it begins a new line
    event.preventDefault();
    form().requestSubmit();
  }

  // ---------------------------------------------------------------- confidence

  // 1 to 9 and 0 are tenths; on a scale of five steps, 1 to 5 are these and the others nothing.
  function confidenceOf(digit) {
    const steps = within("[data-steps]")?.querySelectorAll("input");
    if (!steps) return () => setConfidence(digit === "0" ? 100 : Number(digit) * 10);
    const step = steps[Number(digit) - 1];
    return step && (() => setConfidence(step.value));
  }

  function arrows(event) {
    const way = { ArrowRight: 5, ArrowUp: 5, ArrowLeft: -5, ArrowDown: -5 }[event.key];
    if (!way) return false;
    event.preventDefault();
    const slider = event.target;
    // From "not set", the first arrow sets the middle.
    const from = "unset" in slider.dataset ? 50 - way : Number(slider.value);
    setConfidence(Math.min(100, Math.max(0, from + way)));
    return true;
  }

  function setConfidence(value) {
    if (window.sending.waits()) return;
    form().elements.confidence.value = String(value);
    showConfidence();
    forgetComplaint();
  }

  function showConfidence() {
    const slider = within("[data-slider]");
    if (!slider) return;
    const typed = form().elements.confidence.value;
    const set = /^\d{1,3}$/.test(typed) && Number(typed) <= 100;
    slider.toggleAttribute("data-unset", !set);
    slider.value = set ? typed : "50";
    slider.setAttribute("aria-valuetext", set ? _("{number} per cent", { number: typed }) : _("not set"));
    within("[data-slider-hint]").textContent = set ? "" : _("not set yet");
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-slider]")) setConfidence(event.target.value);
    if (event.target.name === "confidence") { showConfidence(); forgetComplaint(); }
  });
  // A click in the very middle of the unset slider changes no value and so says nothing.
  document.addEventListener("pointerup", (event) => {
    if (event.target.matches("[data-slider][data-unset]")) setConfidence(event.target.value);
  });
  document.addEventListener("change", (event) => {
    if (["call", "confidence", "management"].includes(event.target.name)) forgetComplaint();
    if (event.target.matches("[data-keys-switch]")) setKeys(event.target.checked);
  });

  // ---------------------------------------------------------------- locking

  function missing(target) {
    if (!viewers.ready()) return [_("The picture is still loading: lock when you see it."), null];
    if (!target.elements.call.value) return [_("Choose BCC or SK first."), target.elements.call[0]];
    const typed = target.elements.confidence;
    if (within("[data-steps]")) {
      if (!typed.value) return [_("Say how sure you are: one of the five steps."), typed[0]];
    } else if (!/^\d{1,3}$/.test(typed.value) || Number(typed.value) > 100) {
      return [_("Say how sure you are: a whole number from 0 to 100."), typed];
    }
    const management = target.elements.management;
    if (management && !management.value) return [_("Say whether you would take a biopsy."), management[0]];
    return null;
  }

  function forgetComplaint() {
    const place = within("[data-incomplete]");
    if (place) place.hidden = true;
  }

  document.addEventListener("submit", (event) => {
    const target = event.target;
    // Another language is no call: the browser sends what is typed, and gets the page anew with it.
    if (event.submitter?.name === "language") {
      event.stopImmediatePropagation();
      if (window.sending.waits()) event.preventDefault();
      return;
    }
    // What is sent again is what was locked.
    if (!target.matches("[data-call-form]") || window.sending.waits()) return;
    const found = missing(target);
    if (found) {
      event.preventDefault();
      event.stopImmediatePropagation();
      const place = within("[data-incomplete]");
      place.textContent = found[0];
      place.hidden = false;
      found[1]?.focus();
      return;
    }
    const { active_milliseconds: active, map_milliseconds: map, greatest_zoom: zoom } = target.elements;
    active.value = String(window.activeTime.milliseconds());
    if (map) map.value = String(viewers.mapMilliseconds());
    if (zoom) zoom.value = viewers.greatestZoom();
  }, { capture: true });

  // ---------------------------------------------------------------- pauses

  function minutesRead() {
    sitting ??= { since: performance.now(), finished: finished() };
    return (performance.now() - sitting.since) / MINUTE;
  }

  function offerPause() {
    const minutes = Math.round(minutesRead());
    const cases = finished() - sitting.finished;
    const state = room().dataset.state;
    if (state === "between") {
      const told = within("[data-sitting]");
      if (told && cases > 0) {
        const values = { cases, minutes: Math.max(1, minutes) };
        told.textContent = cases === 1
          ? _("You have just read 1 case in {minutes} min.", values)
          : _("You have just read {cases} cases in {minutes} min.", values);
        told.hidden = false;
      }
      sitting = null;
      pauseWanted = false;
    }
    const offer = within("[data-pause-offer]");
    const after = Number(room().dataset.pauseMinutes);
    if (offer && after && state === "served" && minutes >= after && !pauseWanted) {
      within("[data-pause-offer-text]").textContent = _("You have been reading for {minutes} minutes. A pause costs nothing.", { minutes });
      offer.hidden = false;
    }
    const box = within("[name=pause]");
    if (box && pauseWanted) box.checked = true;
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-pause-wanted]")) return;
    pauseWanted = true;
    within("[data-pause-offer]").hidden = true;
    backToTheCase();
  });

  // ---------------------------------------------------------------- back to the case

  // After a press by mouse or finger on a tool, the next key is meant for the call, not for the tool.
  function backToTheCase() { within("[data-focus]")?.focus({ preventScroll: true }); }
  document.addEventListener("click", (event) => {
    if (event.detail && event.target.closest(".tools button")) backToTheCase();
  });
  document.addEventListener("pointerup", (event) => {
    if (event.target.matches("[data-map-strength]")) backToTheCase();
  });

  // ---------------------------------------------------------------- arriving

  document.addEventListener("htmx:after:settle", (event) => {
    if (event.target.id === "room" || event.target.contains?.(room())) arrive();
  });

  function arrive() {
    document.body.classList.toggle("reading", room().classList.contains("room"));
    for (const target of room().querySelectorAll("[data-call-form]")) target.noValidate = true;
    showKeys();
    // After a refused form the same question goes on, and so does its time.
    const asked = `${within("[data-stage]")?.dataset.case} ${room().dataset.state}`;
    if (asked !== question) {
      window.activeTime.restart();
      viewers.restartZoom();
    }
    question = asked;
    viewers.refresh();
    viewers.refreshMap();
    showConfidence();
    offerPause();
    window.scrollTo(0, 0);
    const first = within("[data-focus-first]");
    (first ?? within("[data-focus]"))?.focus({ preventScroll: true });
    if (first) {
      first.disabled = true;
      setTimeout(() => { first.disabled = false; first.focus({ preventScroll: true }); }, CALM);
    }
  }

  // Back and forward: what the browser kept of the page is not what the server holds.
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  arrive();
})();
