// The month by keyboard: one tab stop, arrows by day and week, pages by month.
"use strict";
(() => {
  const days = () => [...document.querySelectorAll("[data-calendar] [data-day]")];
  const one = (chosen) => days().forEach((d) => { d.tabIndex = d === chosen ? 0 : -1; });
  const settle = () => {
    const all = days();
    one(all.find((d) => d === document.activeElement)
      || all.find((d) => d.closest("td").classList.contains("chosen"))
      || all.find((d) => d.hasAttribute("aria-current")) || all[0]);
  };
  const BY = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  document.addEventListener("keydown", (event) => {
    const day = event.target.closest("[data-calendar] [data-day]");
    if (!day || event.ctrlKey || event.metaKey || event.altKey) return;
    const table = day.closest("[data-calendar]");
    const all = days();
    const at = all.indexOf(day);
    let to = null;
    if (event.key in BY) to = at + BY[event.key];
    else if (event.key === "Home") to = at - (at % 7);
    else if (event.key === "End") to = at - (at % 7) + 6;
    else if (event.key === "PageUp") { location.href = table.dataset.earlier; return; }
    else if (event.key === "PageDown") { location.href = table.dataset.later; return; }
    else return;
    event.preventDefault();
    if (to < 0) location.href = table.dataset.earlier;
    else if (to >= all.length) location.href = table.dataset.later;
    else { one(all[to]); all[to].focus(); }
  });
  document.addEventListener("prescaler:refreshed", settle);
  settle();
})();
