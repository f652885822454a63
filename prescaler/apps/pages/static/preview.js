// What the event in the form would do to the plans, asked anew a moment after the last key.
"use strict";
(() => {
  const form = document.querySelector("form[data-preview]");
  const place = document.getElementById("preview");
  if (!form || !place) return;
  let waiting = 0;
  let turn = 0;
  const ask = async () => {
    const mine = ++turn;
    try {
      const answer = await fetch(form.dataset.preview, {
        method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin",
      });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = fresh.getElementById("preview");
      if (mine === turn && found) place.replaceChildren(...found.childNodes);
    } catch (fault) {
      place.textContent = "prescaler does not answer.";
    }
  };
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(ask, 500); });
  if (form.elements.name.value) ask();
})();
