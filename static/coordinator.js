"use strict";
// Coordinator pages: copy a link; show the whole page anew once predictions are ready.
(() => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
        button.textContent = _("Copied");
      } catch {
        button.textContent = _("Press Ctrl+C"); // no clipboard right: the text is selected
      }
    });
  }

  // What takes a while says so at once: the browser's own sign is easily overlooked.
  for (const way of document.querySelectorAll("[data-slow]")) {
    way.addEventListener("click", () => {
      document.getElementById(way.dataset.slow).hidden = false;
    });
  }
  window.addEventListener("pageshow", () => {
    for (const way of document.querySelectorAll("[data-slow]")) {
      document.getElementById(way.dataset.slow).hidden = true; // back from there
    }
  });

  // The fragment without hx-get says that the polling is over: the steps around it are old now.
  document.addEventListener("htmx:after:swap", () => {
    const progress = document.getElementById("progress");
    if (progress && !progress.hasAttribute("hx-get")) location.reload();
  });

  // A refusal (the session has ended, say) must not take the place of a part of the page.
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    const wanted = ctx.target?.id;
    if (wanted && !tasks.some((task) => task.fragment.querySelector(`#${wanted}`))) {
      event.preventDefault();
      // Redirected: to the sign-in page.
      if (ctx.response.status === 401 || ctx.response.raw.redirected) location.reload();
    }
  });
})();
