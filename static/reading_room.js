"use strict";
// The reading room: keys, the unset confidence, locking, what to say when a submit failed, and
// where the focus goes. Works by listeners on the document, so that swapped parts need none.
(() => {
  const KEYS = "reread-keys"; // the one thing kept in the browser: whether single keys are on
  const TOO_SMALL = window.matchMedia(
    "(max-width: 29.99rem), (max-width: 43.75rem) and (pointer: coarse), (max-height: 29.99rem) and (pointer: coarse)");
  let question = "";

  const room = () => document.getElementById("room");
  const form = () => document.querySelector("[data-call-form]");
  const within = (selector) => room()?.querySelector(selector);

  // ---------------------------------------------------------------- single keys

  function keysOn() {
    try { return localStorage.getItem(KEYS) !== "off"; } catch { return true; }
  }

  function setKeys(on) {
    try { localStorage.setItem(KEYS, on ? "on" : "off"); } catch { /* not kept, still set */ }
    showKeys(on);
  }

  function showKeys(on) {
    document.body.classList.toggle("keys-off", !on);
    document.body.dataset.keys = on ? "on" : "off";
    const box = within("[data-keys-switch]");
    if (box) box.checked = on;
  }

  const letters = {
    b: () => choose("BCC"),
    s: () => choose("SK"),
    y: () => choose("biopsy", "management"),
    n: () => choose("no_biopsy", "management"),
    l: () => form()?.requestSubmit(),
    i: () => window.viewerRoom.next(),
    f: () => window.viewerRoom.zoom("fit"),
    "+": () => window.viewerRoom.zoom("in"),
    "=": () => window.viewerRoom.zoom("in"),
    "-": () => window.viewerRoom.zoom("out"),
  };

  function choose(answer, question = "call") {
    const radio = form()?.querySelector(`[name="${question}"][value="${answer}"]`);
    if (radio) { radio.checked = true; forgetComplaint(); }
  }

  const typing = (target) => target.matches("input:not([type=radio], [type=range], [type=checkbox]), textarea, select");

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || TOO_SMALL.matches) return;
    if (target.matches("[data-slider]") && arrows(event)) return;
    if (event.repeat) {
      // Enter held down must not run on into the next question.
      if (key === "Enter") event.preventDefault();
      return;
    }
    if (key === "Enter") return enter(event);
    if (document.body.dataset.keys !== "on" || typing(target) || target.matches("[data-map-strength]") && /^\d$/.test(key)) return;
    if (key === "o" || key === "O") return window.viewerRoom.peek(true);
    const act = /^\d$/.test(key) && form()
      ? () => setConfidence(key === "0" ? 100 : Number(key) * 10)
      : letters[key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });

  document.addEventListener("keyup", (event) => {
    if (event.key === "o" || event.key === "O") window.viewerRoom.peek(false);
  });
  window.addEventListener("blur", () => window.viewerRoom.peek(false));

  function enter(event) {
    if (event.target.closest("button, a, summary") || !form()) return;
    if (!typing(event.target) && document.body.dataset.keys !== "on" && !form().contains(event.target)) return;
    event.preventDefault();
    form().requestSubmit();
  }

  // ---------------------------------------------------------------- confidence

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
    slider.setAttribute("aria-valuetext", set ? `${typed} per cent` : "not set");
    within("[data-slider-hint]").textContent = set ? "" : "not set yet";
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
    if (["call", "management"].includes(event.target.name)) forgetComplaint();
    if (event.target.matches("[data-keys-switch]")) setKeys(event.target.checked);
  });

  // ---------------------------------------------------------------- locking

  function missing(target) {
    if (!window.viewerRoom.ready()) return ["The picture is still loading: lock when you see it.", null];
    if (!target.elements.call.value) return ["Choose BCC or SK first.", target.elements.call[0]];
    const typed = target.elements.confidence;
    if (!/^\d{1,3}$/.test(typed.value) || Number(typed.value) > 100) {
      return ["Say how sure you are: a whole number from 0 to 100.", typed];
    }
    const management = target.elements.management;
    if (management && !management.value) return ["Say whether you would take a biopsy.", management[0]];
    return null;
  }

  function forgetComplaint() {
    const place = within("[data-incomplete]");
    if (place) place.hidden = true;
  }

  document.addEventListener("submit", (event) => {
    const target = event.target;
    if (!target.matches("[data-call-form]")) return;
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
    target.elements.active_milliseconds.value = String(window.activeTime.milliseconds());
  }, { capture: true });

  // ---------------------------------------------------------------- answers, and no answer

  document.addEventListener("htmx:before:request", (event) => {
    // On a screen too small to read on, nothing is revealed by itself.
    if (TOO_SMALL.matches) event.preventDefault();
    const notice = within("[data-unsaved]");
    if (notice) notice.hidden = true;
  });

  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    const answered = tasks.some((task) => task.fragment.querySelector("#room"));
    if (answered) return;
    event.preventDefault();
    const status = ctx.response.status;
    const answer = new DOMParser().parseFromString(ctx.text, "text/html");
    const sentence = answer.querySelector("[data-sentence]")?.textContent.trim()
      ?? (status === 200 ? "" : `The server answered ${status}.`);
    // After the session's end the sign-in page comes instead of the room.
    const signedOut = status === 401 || Boolean(answer.querySelector('form[action="/sign-in"]'));
    // What contradicts the server's state (the study was closed, say) will not pass later either.
    const final = [403, 404, 409].includes(status);
    notSaved(sentence, { signedOut, final });
  });

  document.addEventListener("htmx:error", (event) => {
    if (!event.detail.ctx) return;
    notSaved(navigator.onLine ? "The server did not answer." : "This computer is offline.");
  });

  function notSaved(reason, { signedOut = false, final = false } = {}) {
    const notice = within("[data-unsaved]");
    if (!notice) return;
    within("[data-unsaved-reason]").textContent = reason;
    within("[data-unsaved-sign-in]").hidden = !signedOut;
    within("[data-unsaved-reload]").hidden = !final;
    within("[data-unsaved-again]").hidden = final;
    notice.hidden = false;
    // The button is enabled again only after this event.
    setTimeout(() => within("button[type=submit]")?.focus(), 0);
  }

  document.addEventListener("htmx:after:settle", (event) => {
    if (event.target.id === "room" || event.target.contains?.(room())) arrive();
  });

  function arrive() {
    document.body.classList.toggle("reading", room().classList.contains("room"));
    for (const target of room().querySelectorAll("[data-call-form]")) target.noValidate = true;
    for (const part of room().querySelectorAll("[data-needs-script]")) part.hidden = false;
    showKeys(keysOn());
    // After a refused form the same question goes on, and so does its time.
    const asked = `${within("[data-stage]")?.dataset.case} ${room().dataset.state}`;
    if (asked !== question) window.activeTime.restart();
    question = asked;
    window.viewerRoom.refresh();
    showConfidence();
    window.scrollTo(0, 0);
    (within("[data-focus-first]") ?? within("[data-focus]"))?.focus({ preventScroll: true });
  }

  // Back and forward: what the browser kept of the page is not what the server holds.
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  arrive();
})();
