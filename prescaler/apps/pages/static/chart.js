// The chart of a workload: what came, what was forecast, what is planned, what was served.
"use strict";
(() => {
  const box = document.querySelector("[data-chart]");
  const readout = document.querySelector("[data-readout]");
  if (!box || !window.uPlot) return;
  const say = box.dataset;
  const DAY = 86400;
  const LONGEST = 62 * DAY;
  const state = { from: 0, to: 0, lead: "0s", asOf: "", follow: true, columns: null, x: [] };
  let [plot, strip, growth, asking] = [null, null, null, 0];

  // Colours come from the style sheet, resolved for the scheme in force.
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name, alpha = 1) => {
    probe.style.color = `var(--${name})`;
    const found = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(" ");
    return `rgb(${found} / ${alpha})`;
  };

  const instant = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
  const nowSeconds = () => Math.floor(Date.now() / 1000);
  const part = new Intl.DateTimeFormat("en-GB", {
    timeZone: say.zone, weekday: "short", day: "2-digit", month: "short",
    hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  });
  const pieces = (seconds) => Object.fromEntries(
    part.formatToParts(new Date(seconds * 1000)).map((p) => [p.type, p.value]));
  const when = (seconds) => {
    const p = pieces(seconds);
    return `${p.weekday} ${p.day} ${p.month} ${p.hour}:${p.minute} · ${instant(seconds).slice(11, 16)}Z`;
  };
  const number = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size >= 1e9) return `${(value / 1e9).toPrecision(3)} G`;
    if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
    return value.toLocaleString("en-GB", { maximumSignificantDigits: size >= 1000 ? 5 : 3 });
  };
  const pods = (value) => (value === null || value === undefined ? ""
    : ` · ${podCount(Math.max(0, Math.ceil(value / Number(say.target) - 1e-9)))}`);
  const podCount = (count) => (count === 1 ? "1 pod" : `${count} pods`);

  // key, label, how it is drawn. Bands have two columns and one switch.
  const SERIES = [
    { key: "q0.05", of: "outer" }, { key: "q0.95", of: "outer" },
    { key: "q0.25", of: "inner" }, { key: "q0.75", of: "inner" },
    { key: "naive", of: "naive" },
    { key: "ordinary", of: "ordinary" },
    { key: "would_serve", of: "would" },
    { key: "actual", of: "actual" },
    { key: "q0.5", of: "median" },
    { key: "served", of: "served" },
    { key: say.grows ? "asked" : "plan", of: "plan" },
    { key: "ready", of: "pods" },
  ];
  const SWITCHES = [
    { key: "actual", label: "actual", ink: "text", swatch: "", on: true, read: ["actual"] },
    { key: "median", label: "median", ink: "accent", swatch: "", on: true, read: ["q0.5"], pods: Boolean(say.grows) },
    { key: "inner", label: "50 %", ink: "accent", swatch: "fill", on: true, read: ["q0.25", "q0.75"], alpha: .30 },
    { key: "outer", label: "90 %", ink: "accent", swatch: "fill", on: true, read: ["q0.05", "q0.95"], alpha: .15 },
    { key: "served", label: "served", ink: "plan", swatch: "", on: true, read: ["served"], pods: true },
    say.grows
      ? { key: "plan", label: "median × growth", ink: "plan", swatch: "dash", on: true, read: ["asked"], pods: true }
      : { key: "plan", label: "plan", ink: "plan", swatch: "dash", on: true, read: ["plan"], pods: true },
    ...(say.grows ? [{ key: "growth", label: "growth", ink: "plan", swatch: "", on: true, read: ["growth"], times: true }] : []),
    { key: "pods", label: "pods ready", ink: "good", swatch: "", on: true, read: ["ready"], count: true },
    { key: "would", label: "mode active", ink: "muted", swatch: "dash", on: false, read: ["would_serve"], pods: true },
    { key: "ordinary", label: "median without events", ink: "accent", swatch: "dots", on: false, read: ["ordinary"] },
    { key: "naive", label: "naive", ink: "muted", swatch: "dots", on: false, read: ["naive"] },
  ];
  const shown = Object.fromEntries(SWITCHES.map((s) => [s.key, s.on]));
  const stepped = window.uPlot.paths.stepped({ align: 1 });

  const drawn = {
    outer: () => ({ stroke: "transparent", width: 0 }),
    inner: () => ({ stroke: "transparent", width: 0 }),
    ordinary: () => ({ stroke: colour("accent"), width: 1.1, dash: [2, 3] }),
    naive: () => ({ stroke: colour("muted"), width: 1, dash: [2, 3] }),
    would: () => ({ stroke: colour("muted"), width: 1.2, dash: [6, 3], paths: stepped }),
    actual: () => ({ stroke: colour("text"), width: 1.4 }),
    median: () => ({ stroke: colour("accent"), width: 1.8 }),
    served: () => ({ stroke: colour("plan"), width: 1.8, paths: stepped }),
    plan: () => ({ stroke: colour("plan"), width: 1.6, dash: [5, 4], paths: stepped }),
    pods: () => ({ stroke: colour("good"), width: 1.4, paths: stepped }),
  };

  const axisX = () => ({
    stroke: colour("muted"), font: "12px system-ui, sans-serif", space: 70,
    grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1, size: 5 },
    values: (_, splits, __, ___, step) => {
      let day = "";
      return splits.map((seconds) => {
        const p = pieces(seconds);
        const date = `${p.weekday} ${p.day} ${p.month}`;
        if (step >= DAY) return date;
        const text = date === day ? `${p.hour}:${p.minute}` : `${p.hour}:${p.minute}\n${date}`;
        day = date;
        return text;
      });
    },
  });
  const axisY = (size, form) => ({
    stroke: colour("muted"), font: "12px system-ui, sans-serif", size, space: 34,
    grid: { stroke: colour("line"), width: 1 }, ticks: { show: false },
    values: (_, splits) => splits.map(form),
  });

  // The present, the latest safe start and the peak it is for.
  const marks = (u) => {
    const { ctx, bbox } = u;
    const line = (seconds, text, dash, ink, row) => {
      if (!Number.isFinite(seconds)) return;
      const x = Math.round(u.valToPos(seconds, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.save();
      ctx.strokeStyle = ink;
      ctx.fillStyle = ink;
      ctx.setLineDash(dash);
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      const left = x + ctx.measureText(text).width + 6 * devicePixelRatio > bbox.left + bbox.width;
      ctx.textAlign = left ? "right" : "left";
      ctx.fillText(text, x + (left ? -4 : 4) * devicePixelRatio,
        bbox.top + (11 + row * 13) * devicePixelRatio);
      ctx.restore();
    };
    line(nowSeconds(), "now", [], colour("muted"), 0);
    if (state.asOf) line(Date.parse(state.asOf) / 1000, "issued", [3, 3], colour("accent"), 1);
    line(Date.parse(say.safeStart) / 1000, say.grows ? "growth asks for the peak" : "latest safe start", [4, 4], colour("plan"), 1);
    const capacity = Number(say.capacity);
    if (capacity > 0) {
      const y = Math.round(u.valToPos(capacity, "y", true));
      if (y >= bbox.top) {
        ctx.save();
        ctx.strokeStyle = ctx.fillStyle = colour("muted");
        ctx.lineWidth = devicePixelRatio;
        ctx.setLineDash([2, 4]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.textAlign = "left";
        ctx.fillText(`capacity now${pods(capacity)}`, bbox.left + 6, y - 4 * devicePixelRatio);
        ctx.restore();
      }
    }
    const events = box.events || [];
    for (const [number, event] of events.entries()) {
      const a = Math.max(bbox.left, u.valToPos(event.from, "x", true));
      const b = Math.min(bbox.left + bbox.width, u.valToPos(event.to, "x", true));
      if (b <= bbox.left || a >= bbox.left + bbox.width) continue;
      ctx.save();
      ctx.fillStyle = colour("plan", .09);
      ctx.fillRect(a, bbox.top, b - a, bbox.height);
      ctx.fillStyle = colour("plan");
      ctx.fillRect(a, bbox.top + bbox.height - 3 * devicePixelRatio, b - a, 3 * devicePixelRatio);
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.beginPath();
      const following = events[number + 1];
      const room = (following ? u.valToPos(following.from, "x", true) : bbox.left + bbox.width) - a;
      ctx.rect(a, bbox.top, room < 40 * devicePixelRatio ? 0 : room - 6 * devicePixelRatio, bbox.height);
      ctx.clip();
      ctx.textAlign = "left";
      ctx.fillText(event.name, a + 4 * devicePixelRatio, bbox.top + 37 * devicePixelRatio);
      ctx.restore();
    }
  };

  const options = (width, height) => ({
    width, height, legend: { show: false }, padding: [14, 10, 0, 0],
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), say.zone),
    scales: { x: { time: true }, y: { range: (_, __, high) => [0, Math.max(high || 1, Number(say.capacity) || 0) * 1.06] } },
    axes: [axisX(), axisY(58, number)],
    cursor: { sync: { key: "workload", setSeries: false }, drag: { x: true, y: false, uni: 20 }, points: { size: 6 } },
    series: [{}, ...SERIES.map((s) => ({ label: s.key, show: shown[s.of], points: { show: false }, spanGaps: false, ...drawn[s.of]() }))],
    bands: [
      { series: [2, 1], fill: colour("accent", .16) },
      { series: [4, 3], fill: colour("accent", .24) },
    ],
    hooks: { draw: [marks], setCursor: [(u) => tell(u.cursor.idx)], setSelect: [], },
  });
  const stripOptions = (width) => ({
    width, height: 84, legend: { show: false }, padding: [6, 10, 8, 0],
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), say.zone),
    scales: { x: { time: true }, y: { range: (_, low, high) => {
      const most = Math.max(Math.abs(low ?? 0), Math.abs(high ?? 0)) || 1;
      return [-most * 1.1, most * 1.1];
    } } },
    axes: [{ ...axisX(), show: false }, { ...axisY(58, number), space: 24 }],
    cursor: { sync: { key: "workload", setSeries: false }, drag: { x: true, y: false }, points: { show: false } },
    series: [{}, { stroke: colour("muted"), width: 1, fill: colour("muted", .25), points: { show: false } }],
  });

  const titled = (text) => {
    const title = document.createElement("p");
    title.className = "strip-title";
    title.textContent = text;
    box.append(title);
  };
  // What live demand is multiplied by, from now on.
  const grown = (c, width) => {
    titled("growth: × live demand");
    const form = stripOptions(width);
    form.scales.y.range = (_, __, high) => [1, Math.max(1.2, (high || 1) * 1.05)];
    form.axes[1].values = (_, splits) => splits.map((one) => `× ${number(one)}`);
    form.series[1] = { ...drawn.plan(), dash: [], paths: undefined, show: shown.growth, fill: colour("plan", .15), points: { show: false } };
    return new window.uPlot(form, [state.x, c.growth], box);
  };

  const error = (c) => c.actual.map((a, i) => (a === null || c["q0.5"][i] === null ? null : a - c["q0.5"][i]));

  const tell = (index) => {
    const c = state.columns;
    const at = index ?? nearest();
    for (const item of SWITCHES) {
      const values = item.read.map((key) => (c && at !== null ? c[key][at] : null));
      const text = values.every((v) => v === null || v === undefined) ? "–"
        : item.count ? `${Math.round(values[0] / Number(say.target))} · carry ${number(values[0])}`
          : item.times ? `× ${values[0].toFixed(2)}` : values.map(number).join(" … ") + (item.pods ? pods(values[0]) : "");
      const target = readout.querySelector(`[data-read="${item.key}"]`);
      if (target.textContent !== text) target.textContent = text;
    }
    readout.querySelector(".when").textContent = at === null || !state.x.length ? "" : when(state.x[at]);
  };
  // Where nobody points: the last instant of which demand is known, else the present.
  const nearest = () => {
    if (!state.x.length) return null;
    const step = state.x.length > 1 ? state.x[1] - state.x[0] : 1;
    const present = Math.min(state.x.length - 1, Math.max(0, Math.floor((nowSeconds() - state.x[0]) / step)));
    for (let at = present; at >= Math.max(0, present - 12); at -= 1) {
      if (state.columns.actual[at] !== null) return at;
    }
    return present;
  };

  const switches = () => {
    const label = document.createElement("span");
    label.className = "when";
    readout.replaceChildren(label, ...SWITCHES.map((item) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(shown[item.key]));
      const swatch = document.createElement("span");
      swatch.className = `swatch ${item.swatch}`;
      if (item.swatch === "fill") swatch.style.background = colour(item.ink, item.alpha);
      else swatch.style.borderColor = colour(item.ink);
      const value = document.createElement("b");
      value.dataset.read = item.key;
      value.textContent = "–";
      button.append(swatch, `${item.label} `, value);
      button.addEventListener("click", () => {
        shown[item.key] = !shown[item.key];
        button.setAttribute("aria-pressed", String(shown[item.key]));
        SERIES.forEach((s, i) => { if (s.of === item.key) plot?.setSeries(i + 1, { show: shown[item.key] }); });
        if (item.key === "growth") growth?.setSeries(1, { show: shown.growth });
      });
      return button;
    }));
  };

  const note = (text) => {
    const place = box.querySelector(".note") || document.createElement("div");
    place.className = "note";
    place.textContent = text;
    box.append(place);
  };

  const draw = () => {
    const c = state.columns;
    const width = Math.max(240, box.clientWidth);
    const height = innerWidth < 900 ? 240 : 336;
    plot?.destroy();
    strip?.destroy();
    growth?.destroy();
    box.replaceChildren();
    plot = new window.uPlot(options(width, height), [state.x, ...SERIES.map((s) => c[s.key])], box);
    titled("actual − median");
    strip = new window.uPlot(stripOptions(width), [state.x, error(c)], box);
    if (say.grows) growth = grown(c, width);
    const known = c.actual.some((v) => v !== null) || c["q0.5"].some((v) => v !== null);
    if (!known) note(state.asOf ? "No forecast had been issued by then." : "No demand and no forecast in this span yet.");
    tell(null);
    requestAnimationFrame(() => performance.mark("chart drawn"));
    box.dataset.drawn = String(Number(box.dataset.drawn || 0) + 1);
  };

  const spacing = () => {
    const base = Number(say.step);
    const points = (state.to - state.from) / base;
    return points > 18000 ? base * Math.ceil(points / 18000) : base;
  };

  const load = async () => {
    const turn = ++asking;
    const query = new URLSearchParams({ from: instant(state.from), to: instant(state.to), step: `${spacing()}s` });
    if (state.asOf) query.set("as_of", state.asOf); else query.set("lead", state.lead);
    try {
      const answer = await fetch(`/api/v1/workloads/${encodeURIComponent(say.name)}/chart?${query}`, { credentials: "same-origin" });
      const body = await answer.json();
      if (turn !== asking) return;
      if (!answer.ok) { note(body.detail || `HTTP ${answer.status}`); return; }
      const step = state.step = Date.parse(body.stamps[1] || body.stamps[0]) / 1000 - Date.parse(body.stamps[0]) / 1000;
      const first = Date.parse(body.stamps[0]) / 1000;
      state.x = body.stamps.map((_, i) => first + i * step);
      state.columns = body.columns;
      state.columns.ready = state.x.map(() => null);
      box.events = (body.events || []).map((event) => ({
        name: event.name, from: Date.parse(event.from) / 1000, to: Date.parse(event.to) / 1000,
      })).sort((one, other) => one.from - other.from);
      draw();
      addPods(turn);
    } catch (fault) {
      if (turn === asking) note("prescaler does not answer; the chart will come back by itself.");
    }
  };

  // Pods are asked of Prometheus, which may be slow: the chart does not wait for them.
  const addPods = async (turn) => {
    if (!say.pods || state.from > nowSeconds()) return;
    const step = Math.max(60, state.step * Math.ceil((state.to - state.from) / state.step / 4000));
    const query = new URLSearchParams({ from: instant(state.from), to: instant(state.to), step: `${step}s` });
    try {
      const answer = await fetch(`/api/v1/workloads/${encodeURIComponent(say.name)}/pods?${query}`, { credentials: "same-origin" });
      const body = await answer.json();
      if (turn !== asking || !answer.ok) return;
      podsNote.textContent = body.why ? `Pods are not shown: ${body.why}.` : "";
      if (body.why || !body.stamps.length) return;
      const first = Date.parse(body.stamps[0]) / 1000;
      const counts = body.columns.ready.some((n) => n !== null) ? body.columns.ready : body.columns.running;
      state.columns.ready = state.x.map((at) => {
        const count = counts[Math.floor((at - first) / step)];
        return count === null || count === undefined ? null : count * Number(say.target);
      });
      const { min, max } = plot.scales.x;
      plot.setData([state.x, ...SERIES.map((s) => state.columns[s.key])], false);
      plot.setScale("x", { min, max });
      tell(plot.cursor.idx);
      box.dataset.pods = String(Number(box.dataset.pods || 0) + 1);
    } catch (fault) { /* the page itself says when nobody answers */ }
  };
  const podsNote = document.querySelector("[data-pods-note]");

  const show = (back, ahead) => {
    state.follow = true;
    state.span = [back, ahead];
    state.from = nowSeconds() - back;
    state.to = nowSeconds() + ahead;
    return load();
  };
  const move = (share, factor = 1) => {
    const length = state.to - state.from;
    const middle = (state.to + state.from) / 2 + share * length;
    const next = Math.min(LONGEST, Math.max(3600, length * factor));
    state.follow = false;
    state.from = Math.round(middle - next / 2);
    state.to = Math.round(middle + next / 2);
    return load();
  };
  const MOVES = { back: () => move(-.5), on: () => move(.5), in: () => move(0, .5), out: () => move(0, 2), now: () => show(...state.span) };

  document.addEventListener("click", (event) => {
    const mover = event.target.closest("[data-move]");
    if (mover) MOVES[mover.dataset.move]();
    const range = event.target.closest("[data-range]");
    if (!range || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.replaceState(null, "", range.href);
    for (const one of document.querySelectorAll("[data-range]")) {
      one.classList.toggle("on", one === range);
      if (one === range) one.setAttribute("aria-current", "true"); else one.removeAttribute("aria-current");
    }
    show(Number(range.dataset.back), Number(range.dataset.ahead));
  });
  box.addEventListener("keydown", (event) => {
    if (!plot || !state.columns) return;
    const act = { "+": MOVES.in, "=": MOVES.in, "-": MOVES.out, 0: MOVES.now }[event.key];
    if (act) act();
    else if (event.shiftKey && event.key === "ArrowLeft") MOVES.back();
    else if (event.shiftKey && event.key === "ArrowRight") MOVES.on();
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const at = (plot.cursor.idx ?? nearest()) + (event.key === "ArrowRight" ? 1 : -1);
      const index = Math.min(state.x.length - 1, Math.max(0, at));
      const y = state.columns["q0.5"][index] ?? state.columns.actual[index] ?? 0;
      plot.setCursor({ left: plot.valToPos(state.x[index], "x"), top: plot.valToPos(y, "y") });
      readout.setAttribute("aria-live", "polite");
    } else return;
    event.preventDefault();
  });

  // Shift and drag moves; without Shift a drag zooms (uPlot's own).
  let grabbed = null;
  box.addEventListener("mousedown", (event) => {
    if (!event.shiftKey || !plot) return;
    grabbed = { x: event.clientX, min: plot.scales.x.min, max: plot.scales.x.max };
    event.stopPropagation();
    event.preventDefault();
  }, true);
  addEventListener("mousemove", (event) => {
    if (!grabbed) return;
    const per = (grabbed.max - grabbed.min) / (plot.bbox.width / devicePixelRatio);
    const by = (grabbed.x - event.clientX) * per;
    for (const one of [plot, strip, growth]) one?.setScale("x", { min: grabbed.min + by, max: grabbed.max + by });
  });
  addEventListener("mouseup", () => {
    if (!grabbed) return;
    grabbed = null;
    const { min, max } = plot.scales.x;
    if (min < state.from || max > state.to) {
      state.follow = false;
      [state.from, state.to] = [Math.round(min), Math.round(max)];
      load();
    }
  });

  const choice = document.querySelector("[data-lead]");
  const asOf = document.querySelector("[data-as-of]");
  choice.addEventListener("change", () => {
    asOf.hidden = choice.value !== "as_of";
    if (!asOf.hidden) { asOf.querySelector("input").focus(); return; }
    state.lead = choice.value;
    state.asOf = "";
    load();
  });
  asOf.querySelector("input").addEventListener("change", (event) => {
    if (!event.target.value) return;
    state.asOf = instant(civil(event.target.value));
    const issued = Date.parse(state.asOf) / 1000;
    if (issued < state.from || issued > state.to) {
      state.follow = false;
      state.from = issued - DAY / 2;
      state.to = issued + 2 * DAY;
    }
    load();
  });
  // Epoch seconds of a wall-clock text in the workload's zone.
  const civil = (text) => {
    const wanted = Date.parse(`${text}Z`) / 1000;
    let found = wanted;
    for (let i = 0; i < 2; i += 1) {
      const shownAt = window.uPlot.tzDate(new Date(found * 1000), say.zone);
      const wall = Date.UTC(shownAt.getFullYear(), shownAt.getMonth(), shownAt.getDate(),
        shownAt.getHours(), shownAt.getMinutes()) / 1000;
      found += wanted - wall;
    }
    return found;
  };

  const wall = (seconds) => {
    const p = Object.fromEntries(new Intl.DateTimeFormat("en-CA", {
      timeZone: say.zone, year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    }).formatToParts(new Date(seconds * 1000)).map((one) => [one.type, one.value]));
    return `${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}`;
  };

  let resizing = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(() => {
      if (!plot) return;
      const width = Math.max(240, box.clientWidth);
      plot.setSize({ width, height: plot.height });
      strip.setSize({ width, height: strip.height });
      growth?.setSize({ width, height: growth.height });
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    switches();
    if (state.columns) draw();
  });
  const still = () => plot && state.x.length
    && plot.scales.x.min === state.x[0] && plot.scales.x.max === state.x[state.x.length - 1];
  setInterval(() => {
    if (!document.hidden && state.follow && (still() || !state.columns)) show(...state.span);
  }, 60000);

  switches();
  if (say.issued) {
    state.asOf = say.issued;
    choice.value = "as_of";
    asOf.hidden = false;
    asOf.querySelector("input").value = wall(Date.parse(say.issued) / 1000);
  }
  if (say.from && say.to) {
    state.follow = false;
    state.span = [Number(say.back), Number(say.ahead)];
    state.from = Date.parse(say.from) / 1000;
    state.to = Date.parse(say.to) / 1000;
    load();
  } else show(Number(say.back), Number(say.ahead));
})();
