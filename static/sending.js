"use strict";
// What becomes of a submit of the reading room, and what the reader is told of it. A submit that
// got no answer stays in this page's memory, and is sent again under its own submission id until
// the server has answered; nothing is kept anywhere else.
(() => {
  const WAITS = [1, 2, 4, 8, 15, 30]; // seconds; the last one from then on
  const TOO_SMALL = window.matchMedia(
    "(max-width: 29.99rem), (max-width: 43.75rem) and (pointer: coarse), (max-height: 29.99rem) and (pointer: coarse)");
  let waiting = null; // { tries, timer, signedOut } while an answer is still to come

  const room = () => document.getElementById("room");
  const within = (selector) => room()?.querySelector(selector);
  const form = () => within("form[hx-post]");

  function say(text, mood = "") {
    const place = document.querySelector("[data-save-state]");
    place.textContent = text;
    place.dataset.mood = mood;
  }

  // What was locked here is not changed any more while it is on its way.
  function hold(held) {
    for (const part of form()?.querySelectorAll("fieldset, textarea, .check") ?? []) part.inert = held;
  }

  function sendAgain() {
    if (!waiting) return;
    clearTimeout(waiting.timer);
    form()?.requestSubmit();
  }

  function notSaved(reason, { signedOut = false, final = false } = {}) {
    const notice = within("[data-unsaved]");
    if (!notice) return;
    within("[data-unsaved-reason]").textContent = reason;
    within("[data-unsaved-sign-in]").hidden = !signedOut;
    within("[data-unsaved-reload]").hidden = !final;
    within("[data-unsaved-again]").hidden = final;
    within("[data-unsaved-retry]").hidden = final || signedOut;
    notice.hidden = false;
    // The button is enabled again only after this event.
    setTimeout(() => within("button[type=submit]")?.focus(), 0);
    clearTimeout(waiting?.timer);
    if (final) {
      waiting = null;
      hold(false);
      say(_("Not saved"), "problem");
      return;
    }
    const tries = waiting?.tries ?? 0;
    const seconds = WAITS[Math.min(tries, WAITS.length - 1)];
    const timer = signedOut ? null : setTimeout(sendAgain, seconds * 1000);
    waiting = { tries: tries + 1, timer, signedOut };
    hold(true);
    if (signedOut) say(_("Not saved yet"), "problem");
    else say(navigator.onLine ? _("Not saved yet: sending again") : _("Offline: not saved yet"), "problem");
  }

  document.addEventListener("htmx:before:request", (event) => {
    // On a screen too small to read on, nothing is revealed by itself.
    if (TOO_SMALL.matches) { event.preventDefault(); return; }
    if (!waiting) within("[data-unsaved]")?.setAttribute("hidden", "");
    if (within("[data-call-form]") && !isPreview()) say(waiting ? _("Sending again …") : _("Saving …"));
    else if (waiting) say(_("Trying again …"));
  });

  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    if (tasks.some((task) => task.fragment.querySelector("#room"))) return answered(ctx);
    event.preventDefault();
    const status = ctx.response.status;
    const answer = new DOMParser().parseFromString(ctx.text, "text/html");
    const consent = answer.querySelector("form[data-consent]");
    if (consent) {
      // What was sent is taken; a new version of the consent text comes before the next case.
      answered(ctx);
      location.assign(consent.getAttribute("action"));
      return;
    }
    const sentence = answer.querySelector("[data-sentence]")?.textContent.trim()
      ?? (status === 200 ? "" : _("The server answered {status}.", { status }));
    // After the session's end the sign-in page comes instead of the room.
    const signedOut = status === 401 || Boolean(answer.querySelector('form[action="/sign-in"]'));
    // What contradicts the server's state (the study was closed, say) will not pass later either.
    const final = !signedOut && status >= 400 && status < 500 && ![408, 425, 429].includes(status);
    notSaved(signedOut ? _("Your session has ended.") : sentence, { signedOut, final });
  });

  function answered(ctx) {
    const call = within("[data-call-form]") && !isPreview();
    const waited = waiting !== null;
    clearTimeout(waiting?.timer);
    waiting = null;
    const time = new Date().toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    if (call && ctx.response.status === 200) say(_("Saved {time}", { time }), "done");
    else if (call || waited) say("");
  }

  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) notSaved(navigator.onLine ? _("The server did not answer.") : _("This computer is offline."));
  });

  const isPreview = () => Boolean(within("input[name=step]"));

  window.addEventListener("online", () => { if (waiting) sendAgain(); else say(""); });
  window.addEventListener("offline", () => {
    say(_("Offline: calls wait on this page"), "problem");
  });
  // Back from signing in in another tab.
  window.addEventListener("focus", () => { if (waiting?.signedOut) sendAgain(); });
  // Leaving now would lose the call.
  window.addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });

  window.sending = { waits: () => waiting !== null, tooSmall: TOO_SMALL };
})();
