"use strict";
(() => {
  const PAGE = 200;
  const { runs, isAll } = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const body = document.querySelector("#runs tbody");
  const ORDER = ["RUNNING", "QUEUED", "DROPPED", "FAILED", "REJECTED", "KILLED", "WARNING", "SUCCESS"];
  for (const run of runs) run.text = `${run.id} ${run.flow} ${run.manifest} ${run.note}`.toLowerCase();
  const wanted = { states: new Set(), flow: "", text: "" };
  let found = [], shown = 0, longest = 1;

  const element = (name, text = "", classes = "") => {
    const made = document.createElement(name);
    made.textContent = text;
    made.className = classes;
    return made;
  };
  const number = (value) => value.toLocaleString("en");
  const when = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
  const took = (seconds) => {
    if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
    let left = Math.round(seconds);
    const parts = [];
    for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
      const count = Math.floor(left / length);
      left -= count * length;
      if (count || parts.length) parts.push([count, unit]);
    }
    return parts.slice(0, 2).filter(([count]) => count).map((part) => part.join(" ")).join(" ");
  };

  const row = (run) => {
    const line = element("tr", "", run.state);
    const state = element("td", "", "state");
    state.append(element("span", run.state, "badge"));
    const name = element("th");
    name.scope = "row";
    if (run.report) {
      const link = element("a", run.flow || run.manifest);
      link.href = run.report;
      name.append(link);
    } else {
      const open = element("span", run.flow || run.manifest);
      open.tabIndex = 0;
      name.append(open);
    }
    name.append(element("small", run.id));
    const time = element("td", took(run.seconds), "time");
    const bar = element("span", "", "bar");
    bar.style.width = `${Math.min(100, Math.max(0.5, (100 * run.seconds) / longest))}%`;
    time.append(bar);
    line.append(state, name, element("td", when(run.dropped), "when"), time, element("td", run.tasks, "n"), element("td", run.note, "note"));
    return line;
  };

  const more = () => {
    const next = found.slice(shown, shown + PAGE);
    body.append(...next.map(row));
    shown += next.length;
    byId("rest").hidden = shown === found.length;
    byId("show-more").textContent = `Show more (${number(found.length - shown)} left)`;
  };

  const fits = (run, ignoreStates) =>
    (ignoreStates || !wanted.states.size || wanted.states.has(run.state)) &&
    (!wanted.flow || (run.flow || run.manifest) === wanted.flow) &&
    wanted.text.split(/\s+/).every((word) => run.text.includes(word));

  const drawStates = () => {
    const counts = new Map();
    for (const run of runs) if (fits(run, true)) counts.set(run.state, (counts.get(run.state) || 0) + 1);
    for (const button of byId("states").children) {
      const state = button.dataset.state;
      button.textContent = `${state} ${number(counts.get(state) || 0)}`;
      button.setAttribute("aria-pressed", wanted.states.has(state));
    }
  };

  const draw = () => {
    found = runs.filter((run) => fits(run, false));
    longest = found.reduce((most, run) => (run.report ? Math.max(most, run.seconds) : most), 1); // waiting is no measure
    shown = 0;
    body.replaceChildren();
    more();
    drawStates();
    byId("none").hidden = found.length > 0;
    const limit = isAll ? "" : ", the newest that the ledger has";
    byId("lead").textContent = found.length === runs.length ? `${number(runs.length)} runs${limit}` : `${number(found.length)} of ${number(runs.length)} runs${limit}`;
    const parts = new URLSearchParams();
    for (const state of wanted.states) parts.append("state", state);
    if (wanted.flow) parts.set("flow", wanted.flow);
    if (wanted.text) parts.set("text", wanted.text);
    history.replaceState(null, "", parts.toString() ? `#${parts}` : location.pathname);
  };

  const clear = () => {
    wanted.states.clear();
    wanted.flow = wanted.text = byId("flow").value = byId("text").value = "";
    draw();
  };

  const flows = new Set(runs.map((run) => run.flow || run.manifest));
  for (const flow of [...flows].sort()) byId("flow").append(new Option(flow, flow));
  const states = new Set(runs.map((run) => run.state));
  for (const state of ORDER.filter((each) => states.has(each))) {
    const button = element("button", state, state);
    button.type = "button";
    button.dataset.state = state;
    button.addEventListener("click", () => {
      if (!wanted.states.delete(state)) wanted.states.add(state);
      draw();
    });
    byId("states").append(button);
  }
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const state of asked.getAll("state")) if (states.has(state)) wanted.states.add(state);
  wanted.flow = flows.has(asked.get("flow")) ? asked.get("flow") : "";
  wanted.text = asked.get("text") || "";
  byId("flow").value = wanted.flow;
  byId("text").value = wanted.text;

  byId("text").addEventListener("input", (event) => { wanted.text = event.target.value.trim().toLowerCase(); draw(); });
  byId("flow").addEventListener("change", (event) => { wanted.flow = event.target.value; draw(); });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", clear);
  byId("show-more").addEventListener("click", more);
  new IntersectionObserver((entries) => { if (entries.some((each) => each.isIntersecting) && shown < found.length) more(); }, { rootMargin: "600px" }).observe(byId("rest"));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target === byId("text");
    if (event.key === "Escape") { clear(); byId("text").blur(); return; }
    if (isTyping || event.target === byId("flow")) return;
    if (event.key === "/") { event.preventDefault(); byId("text").focus(); return; }
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const targets = [...body.querySelectorAll("th > :first-child")];
    const place = targets.indexOf(document.activeElement);
    const isArrow = event.key.startsWith("Arrow");
    if (isArrow && place < 0) return;
    event.preventDefault();
    const next = targets[place < 0 ? (step > 0 ? 0 : -1) : place + step];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  });
  draw();
})();
