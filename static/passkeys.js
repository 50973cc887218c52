"use strict";
// Passkeys: ask the server what to ask the device, ask the device, and send its answer as a form.
(() => {
  const able =
    window.PublicKeyCredential?.parseCreationOptionsFromJSON &&
    window.PublicKeyCredential?.parseRequestOptionsFromJSON;
  if (!able) return;

  const steps = {
    add: async (options) =>
      navigator.credentials.create({
        publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
      }),
    use: async (options) =>
      navigator.credentials.get({
        publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
      }),
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      const said = form.querySelector("[data-said]");
      button.disabled = true;
      said.textContent = "";
      try {
        const answer = await fetch(`${form.getAttribute("action")}/challenge`, { method: "POST" });
        if (answer.status === 403) {
          location.assign(`/confirm?next=${encodeURIComponent(location.pathname)}`); // password again
          return;
        }
        if (!answer.ok) throw new Error(String(answer.status));
        const made = await steps[form.dataset.passkey](await answer.json());
        form.elements.answer.value = JSON.stringify(made.toJSON());
        form.submit();
      } catch {
        // Declined, no passkey here, or no network: the browser has said which.
        said.textContent = form.dataset.failed;
        button.disabled = false;
      }
    });
  }
})();
