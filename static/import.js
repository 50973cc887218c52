"use strict";
// The import form: bytes sent, then images checked, line by line as the server tells them; it can
// be stopped. Without script the form works as any other, and says nothing until it is done.
(() => {
  const form = document.querySelector("[data-import]");
  const progress = document.getElementById("import-progress");
  const bar = progress.querySelector("progress");
  const said = progress.querySelector("[data-said]");
  const stop = progress.querySelector("button");
  let running = null;

  const show = (sentence, done, total) => {
    said.textContent = sentence;
    if (total > 0) {
      bar.max = total;
      bar.value = done;
    } else {
      bar.removeAttribute("value");
    }
  };
  const ready = (busy) => {
    progress.hidden = !busy;
    for (const button of form.querySelectorAll("button")) button.disabled = busy;
  };
  // The answer's own words, whatever page it is.
  const outcome = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const found = page.getElementById("outcome");
    const place = document.getElementById("outcome");
    if (found) {
      place.replaceChildren(...found.childNodes);
      return;
    }
    const sentence = page.querySelector("[data-sentence]");
    tell(sentence ? sentence.textContent : _("The server did not answer as expected."));
  };
  const tell = (sentence) => {
    const message = document.createElement("p");
    message.className = "message problem";
    message.textContent = sentence;
    document.getElementById("outcome").replaceChildren(message);
  };
  const last = (text) => {
    const lines = text.split("\n").slice(0, -1); // what is not ended yet is no line
    return lines.length ? JSON.parse(lines[lines.length - 1]) : null;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const dry = event.submitter?.value !== "import";
    const body = new FormData(form);
    body.set("action", dry ? "dry_run" : "import");
    const request = new XMLHttpRequest();
    running = request;
    request.open("POST", form.getAttribute("action")); // form.action is the button of that name
    request.setRequestHeader("Accept", "application/x-ndjson");
    document.getElementById("outcome").replaceChildren();
    ready(true);
    show(_("Sending the files …"), 0, 0);
    request.upload.addEventListener("progress", (sent) => {
      const share = Math.floor((100 * sent.loaded) / sent.total);
      show(_("Sending the files: {share} per cent", { share }), sent.loaded, sent.total);
    });
    request.upload.addEventListener("load", () => show(_("The server opens the files …"), 0, 0));
    request.addEventListener("progress", () => {
      const line = request.status === 200 ? last(request.responseText) : null;
      if (line?.total) {
        const { done, total } = line;
        const sentence = dry
          ? _("{done} of {total} images checked", { done, total })
          : _("{done} of {total} images checked and stored", { done, total });
        show(sentence, done, total);
      }
    });
    request.addEventListener("load", () => {
      running = null;
      const line = request.status === 200 ? last(request.responseText) : null;
      if (line?.location) {
        location.assign(line.location);
        return;
      }
      ready(false);
      outcome(line?.html ?? request.responseText);
      document.getElementById("outcome").scrollIntoView({ block: "nearest" });
    });
    const broken = (sentence) => () => {
      running = null;
      ready(false);
      tell(sentence);
    };
    const whole = _("An import stores all cases or none: look at Cases before you try again.");
    request.addEventListener("error", broken(`${_("The connection broke off.")} ${whole}`));
    request.addEventListener("abort", broken(`${_("Stopped.")} ${whole}`));
    request.send(body);
  });
  stop.addEventListener("click", () => running?.abort());
  window.addEventListener("beforeunload", (event) => {
    if (running) event.preventDefault();
  });
})();
