/* Train: the panel of the run in view. Once a second, while it is visible, it requests what it lacks.
   `studioTrain(element, server, hooks)` is called when it appears. */
window.studioTrain = (element, server, hooks) => {
  const root = document.createElement("div");
  root.className = "panel";
  root.innerHTML = `
    <div class="panel-top"><div data-part="figures"></div>
      <div class="chart-tools" hidden><span class="chart-where"></span>
        <button type="button" class="chart-reset" hidden>Show all steps</button>
        <label>Smoothing <input type="range" min="0" max="0.98" step="0.02" aria-label="Smoothing: weight of earlier points"><output></output></label>
      </div></div>
    <div data-part="health"></div>
    <div class="charts" hidden><div class="charts-main"></div><div class="charts-small"></div></div>
    <div data-part="compare"></div><div data-part="samples"></div>
    <details class="log-fold"><summary>Log</summary>
      <input type="search" placeholder="Search the log" aria-label="Search the log">
      <div class="log" tabindex="0" role="log"></div></details>`;
  const find = selector => root.querySelector(selector);
  const charts = window.studioCharts(root);
  const log = {at: 0, query: ""}, marks = {};
  let wanted = {run: "", overlay: []}, live = true, asking = false, idle = 0;

  /* ---- what to show ------------------------------------------------------------------------------ */
  const read = () => {
    const stage = element.querySelector(".stage");
    const run = stage?.dataset.run || "", overlay = (stage?.dataset.overlay || "").split(",").filter(Boolean);
    if (!root.isConnected) element.append(root);
    if (run === wanted.run && overlay.join() === wanted.overlay.join()) return;
    if (run !== wanted.run) {
      log.at = 0;
      for (const name of Object.keys(marks)) delete marks[name];
      // Nothing of the run before stays under this one's name; the room is kept until its own has come.
      root.style.minHeight = `${root.offsetHeight}px`;
      for (const part of root.querySelectorAll("[data-part]")) part.replaceChildren();
      find(".charts").hidden = find(".chart-tools").hidden = true;
      find(".log").replaceChildren();
      root.classList.add("turning");
    }
    wanted = {run, overlay};
    idle = 0;
    charts.runs([run, ...overlay].filter(Boolean).map(id => ({id, name: ""})));
    ask();
  };
  const visible = () => root.isConnected && root.offsetParent !== null && !document.hidden;
  const ask = async () => {
    if (asking || !wanted.run || !visible()) return;
    asking = true;
    const mine = wanted, open = find("details").open, query = log.query;
    try {
      const reply = await server.train_feed({...mine, have: charts.have(), parts: marks,
        log: {open, query, at: log.at}});
      if (mine === wanted && query === log.query && reply) take(reply);
    } catch { /* no server: retried in a second */ }
    asking = false;
    if (mine !== wanted) ask();
  };

  /* ---- what arrived ------------------------------------------------------------------------------------- */
  const take = reply => {
    idle = Object.keys(reply).length ? 0 : idle + 1;
    const parts = reply.parts || {};
    for (const [name, part] of Object.entries(parts)) marks[name] = part.mark;
    if (parts.names) { charts.runs(parts.names.body); live = parts.names.body[0]?.live ?? false; }
    for (const [id, news] of Object.entries(reply.runs || {})) charts.take(id, news);
    if (parts.plan) { find(".charts").hidden = find(".chart-tools").hidden = !parts.plan.body.length; charts.plan(parts.plan.body); }
    for (const name of ["figures", "health", "compare", "samples"]) {
      if (parts[name]) find(`[data-part=${name}]`).innerHTML = parts[name].body;
    }
    if (reply.log) lines(reply.log);
    root.classList.remove("turning");
    root.style.minHeight = "";
    charts.draw();
  };
  const lines = news => {
    const list = find(".log");
    log.at = news.at;
    if (news.fresh) list.replaceChildren();
    for (const [clock, text] of news.lines) {
      const row = document.createElement("div"), time = document.createElement("time"), words = document.createElement("span");
      time.textContent = clock; words.textContent = text;
      row.append(time, words);
      list.prepend(row);
    }
    while (list.childElementCount > 400) list.lastChild.remove();
    list.dataset.empty = log.query ? "No matches." : "No events yet.";
  };

  /* ---- controls ------------------------------------------------------------------------------------------ */
  const slider = find("input[type=range]");
  const weigh = () => {
    charts.smoothing(+slider.value);
    find("output").textContent = (+slider.value).toFixed(2);
    try { localStorage.setItem("studio-smoothing", slider.value); } catch { /* private window */ }
  };
  let kept = null;
  try { kept = localStorage.getItem("studio-smoothing"); } catch { /* private window */ }
  slider.value = kept ?? 0.6;  // as in TensorBoard
  slider.addEventListener("input", weigh);
  weigh();
  find(".chart-reset").addEventListener("click", () => charts.zoom(null));
  find("details").addEventListener("toggle", ask);
  find("input[type=search]").addEventListener("input", event => {
    log.query = event.target.value; log.at = 0; ask();
  });
  root.addEventListener("click", event => {
    event.target.closest(".sample td, .sample li")?.classList.toggle("whole");
  });

  hooks.watch(read);
  read();
  const timer = setInterval(() => {
    if (!element.isConnected) return clearInterval(timer);
    if (live || idle < 3 || Date.now() % 4000 < 1000) ask();
  }, 1000);
  document.addEventListener("visibilitychange", ask);
};
