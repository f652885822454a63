// Figures refresh without a reload: the page asks for itself and swaps the parts marked data-live.
// Works without: every figure is in the HTML already.
"use strict";
(() => {
  document.documentElement.classList.add("js");
  const EVERY = 15000;
  const STALE = 45000;
  const freshness = document.querySelector("[data-live-freshness]");
  let last = Date.now();
  let failed = "";

  const busy = (part) => part.contains(document.activeElement)
    && document.activeElement.matches("input, select, textarea");

  const swap = (fresh) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (!other || busy(part) || other.innerHTML === part.innerHTML) continue;
      const open = [...part.querySelectorAll("details")].map((d) => d.open);
      const focused = part.contains(document.activeElement)
        ? [...part.querySelectorAll("a, button, summary")].indexOf(document.activeElement) : -1;
      part.replaceWith(other);
      other.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
      if (focused >= 0) other.querySelectorAll("a, button, summary")[focused]?.focus();
    }
  };

  const refresh = async () => {
    if (document.hidden || !freshness) return;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
      if (answer.redirected && new URL(answer.url).pathname === "/sign-in") {
        failed = "Your session has ended. Reload to sign in.";
        return;
      }
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      last = Date.now();
      failed = "";
      document.dispatchEvent(new Event("prescaler:refreshed"));
    } catch (error) {
      failed = "prescaler does not answer.";
    }
  };

  const tell = () => {
    if (!freshness) return;
    const age = Date.now() - last;
    const stale = age > STALE || failed !== "";
    const seconds = Math.round(age / 1000);
    const text = stale ? `Stale: figures are ${seconds} s old. ${failed}` : "Live";
    if (freshness.textContent !== text) freshness.textContent = text;
    freshness.classList.toggle("stale", stale);
    document.body.classList.toggle("stale", stale);
  };

  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  for (const form of document.querySelectorAll("form[data-auto]")) {
    form.addEventListener("change", (event) => {
      if (event.target.matches("select")) form.requestSubmit();
    });
  }
  tell();
  setInterval(tell, 1000);
  setInterval(refresh, EVERY);
})();
