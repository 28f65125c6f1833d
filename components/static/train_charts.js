/* Train: the charts of a run, drawn on canvas from points the page keeps. `studioCharts(host)` gives
   {take(id, news), plan(charts), runs(list), have(), draw(), smoothing(weight), zoom(range)}.

   Why not Plotly: tried on the same feed with Plotly.extendTraces, and Plotly.react where lines changed; five
   pairs in turn on two cores: a 63-step SFT run with its page open, then a new page on a run of 1,000 steps.
   Medians, canvas / Plotly (median ratio of a pair): first chart after Train 1.0 / 2.8 s (3.0), script time
   0.6 / 2.5 s (4.2), received 122 / 1,566 kB (13), Train tab to charts 0.45 / 1.46 s (3.2). Training took
   24.2 / 25.9 s (1.03, from 0.83 to 1.24): no difference to be seen. Plotly's trial was 112 lines shorter,
   without the shared crosshair, the values in the legends, the zoom by dragging and the keyboard. */
window.studioCharts = (host) => {
  const store = {};  // run id -> {train: table, held_out: table, epoch}
  const view = {charts: [], runs: [], weight: 0.6, hover: null, over: null, zoom: null, drag: null};
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 4], [12, 4]];
  const ENOUGH = 20;  // points before smoothing says more than it hides

  /* ---- points ----------------------------------------------------------------------------------- */
  const fill = (list, length) => { while (list.length < length) list.push(null); };
  const join = (table, news) => {
    const old = news.from ? table : {steps: [], series: {}, low: {}, high: {}};
    old.cursor = news.cursor;
    old.steps.length = news.from;
    old.steps.push(...news.steps);
    for (const part of ["series", "low", "high"]) {
      for (const key of Object.keys(old[part])) old[part][key].length = Math.min(news.from, old[part][key].length);
      for (const [key, values] of Object.entries(news[part] || {})) {
        const list = old[part][key] ||= [];
        fill(list, news.from);
        list.push(...values);
      }
      for (const list of Object.values(old[part])) fill(list, old.steps.length);
    }
    return old;
  };
  const take = (id, news) => {
    const mine = store[id] ||= {};
    for (const part of ["train", "held_out"]) if (news[part]) mine[part] = join(mine[part], news[part]);
    if (news.epoch) mine.epoch = news.epoch;
  };
  const have = () => Object.fromEntries(view.runs.filter(run => store[run.id]).map(run => [run.id,
    {train: store[run.id].train?.cursor, held_out: store[run.id].held_out?.cursor}]));

  const smooth = (values, weight) => {
    // An exponential moving mean without the start's bias.
    let mean = 0, seen = 0;
    return values.map(value => {
      mean = mean * weight + (1 - weight) * value;
      seen += 1;
      return mean / (1 - weight ** seen);
    });
  };
  const points = (table, key) => {
    const found = {x: [], y: [], low: [], high: []};
    const list = table?.series[key];
    if (!list) return found;
    list.forEach((value, i) => {
      if (value === null) return;
      found.x.push(table.steps[i]);
      found.y.push(value);
      found.low.push(table.low[key]?.[i] ?? value);
      found.high.push(table.high[key]?.[i] ?? value);
    });
    return found;
  };

  /* ---- what a chart shows ------------------------------------------------------------------------- */
  const linesOf = chart => {
    const several = view.runs.length > 1, found = [];
    view.runs.forEach((run, at) => {
      for (const line of chart.lines) {
        const colour = several ? `--run-${"abcdef"[at]}` : `--${line.colour}`;
        const dash = several ? (line.dash ? [2, 3] : DASHES[at]) : line.dash ? [6, 4] : [];
        const who = several ? `${run.name}${chart.lines.length > 1 ? " " + line.label : ""}` : line.label;
        const raw = points(store[run.id]?.train, line.key);
        const weight = chart.smooth && raw.x.length >= ENOUGH ? view.weight : 0;
        if (raw.x.length) found.push({who, colour, dash, raw, y: weight ? smooth(raw.y, weight) : raw.y,
          faint: weight > 0 && !several, run: run.id});
        const held = points(store[run.id]?.held_out, line.held);
        const parts = line.key === "loss" && !several ? run.datasets || [] : [];
        const name = chart.lines.length > 1 || several ? `${who}, held-out` : parts.length ? "held-out, all" : "held-out";
        if (held.x.length) found.push({who: name, colour: several || chart.lines.length > 1 ? colour : "--base",
          dash: [2, 3], raw: held, y: held.y, dots: true, run: run.id});
        parts.forEach((one, number) => {
          const own = points(store[run.id]?.held_out, `eval_${one.metrics}_loss`);
          if (own.x.length) found.push({who: one.name, colour: `--run-${"bcdef"[number % 5]}`,
            dash: DASHES[(number + 2) % 6], raw: own, y: own.y, dots: true, run: run.id});
        });
      }
    });
    return found;
  };
  const number = (value, unit) => {
    if (unit === "share") return `${(100 * value).toFixed(1)} %`;
    if (unit === "bytes") return value >= 1e9 ? `${(value / 1e9).toFixed(1)} GB` : `${(value / 1e6).toFixed(0)} MB`;
    const size = Math.abs(value);
    if (size >= 1e4) return Math.round(value).toLocaleString("en-US");
    if (size && size < (unit === "rate" ? 1e-2 : 1e-3)) return (+value.toPrecision(3)).toExponential();
    return String(+value.toPrecision(3));
  };
  const short = (value, unit, digits = 3) => {
    if (unit === "share") return `${+(100 * value).toFixed(digits - 2)} %`;
    if (unit === "bytes") return value >= 1e9 ? `${+(value / 1e9).toFixed(digits - 1)} G` : `${+(value / 1e6).toFixed(digits - 3)} M`;
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(digits)} M`;
    if (size >= 1e4) return `${+(value / 1e3).toPrecision(digits)} k`;
    if (size && size < (unit === "rate" ? 1e-2 : 1e-3)) return (+value.toPrecision(digits)).toExponential();
    return String(+value.toPrecision(digits));
  };
  const labels = (marks, unit) => {  // as short as tells them apart
    for (let digits = 3; ; digits += 1) {
      const told = marks.map(mark => short(mark, unit, digits));
      if (digits === 7 || new Set(told).size === told.length) return told;
    }
  };
  const ticks = (low, high, most) => {
    const rough = (high - low) / most || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(m => m * power).find(size => size >= rough);
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(at * step);
    return found;
  };
  const span = () => {
    if (view.zoom) return view.zoom;
    let last = 1;
    for (const run of view.runs) for (const part of ["train", "held_out"]) {
      last = Math.max(last, store[run.id]?.[part]?.steps.at(-1) ?? 0);
    }
    return [0, last];
  };

  /* ---- drawing ------------------------------------------------------------------------------------ */
  const cssColour = name => getComputedStyle(host).getPropertyValue(name).trim() || "#888";
  const bounds = (lines, [from, to]) => {
    let low = Infinity, high = -Infinity;
    for (const line of lines) line.raw.x.forEach((x, i) => {
      if (x < from || x > to) return;
      low = Math.min(low, line.y[i], line.faint ? line.raw.low[i] : Infinity);
      high = Math.max(high, line.y[i], line.faint ? line.raw.high[i] : -Infinity);
    });
    if (low > high) return [0, 1];
    // Smoothing leaves a constant a few last bits apart: that is no range to draw ticks in.
    const flat = high - low < 1e-9 * Math.max(Math.abs(low), Math.abs(high));
    const pad = (flat ? 0 : (high - low) * 0.06) || Math.abs(high) * 0.05 || 0.5;
    return [low >= 0 && low - pad < 0 ? 0 : low - pad, high + pad];
  };
  const trace = (pen, xs, ys, place) => {
    pen.beginPath();
    xs.forEach((x, i) => pen[i ? "lineTo" : "moveTo"](...place(x, ys[i])));
    pen.stroke();
  };
  const drawOne = (chart, canvas) => {
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const lines = canvas.lines = linesOf(chart);
    const [from, to] = span(), [low, high] = bounds(lines, [from, to]);
    pen.font = `11px ${getComputedStyle(host).fontFamily}`;
    const marks = ticks(low, high, chart.small ? 2 : 4);
    const told = labels(marks, chart.unit);
    const left = 12 + Math.max(...told.map(text => pen.measureText(text).width), 14);
    const box = canvas.box = {left, right: width - 10, top: 6, bottom: height - 19, from, to};
    const place = canvas.place = (x, y) => [left + (x - from) / (to - from || 1) * (box.right - left),
      box.bottom - (y - low) / (high - low || 1) * (box.bottom - box.top)];
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    marks.forEach((mark, i) => {
      const y = Math.round(place(from, mark)[1]) + 0.5;
      pen.strokeStyle = cssColour("--line");
      pen.beginPath(); pen.moveTo(left, y); pen.lineTo(box.right, y); pen.stroke();
      pen.fillStyle = cssColour("--ink-3"); pen.textAlign = "right";
      pen.fillText(told[i], left - 6, y);
    });
    const across = ticks(from, to, Math.max(2, Math.floor((box.right - left) / 70))).filter(Number.isInteger);
    pen.textAlign = "center"; pen.textBaseline = "alphabetic";
    for (const mark of across) {
      const text = short(mark, ""), half = pen.measureText(text).width / 2;
      const x = Math.min(place(mark, low)[0], width - half - 2);
      pen.fillText(text, x, height - 5);
    }
    pen.save();
    pen.beginPath(); pen.rect(left, 0, box.right - left + 4, box.bottom + 3); pen.clip();
    pen.lineJoin = "round";
    for (const line of lines) {
      pen.strokeStyle = pen.fillStyle = cssColour(line.colour);
      if (line.faint) {
        pen.globalAlpha = 0.28; pen.lineWidth = 1; pen.setLineDash([]);
        const xs = line.raw.x.flatMap(x => [x, x]), ys = line.raw.x.flatMap((_, i) => [line.raw.low[i], line.raw.high[i]]);
        trace(pen, xs, ys, place);
        pen.globalAlpha = 1;
      }
      pen.lineWidth = chart.small ? 1.5 : 2; pen.setLineDash(line.dash);
      trace(pen, line.raw.x, line.y, place);
      if (line.dots || line.raw.x.length < 12) {
        pen.setLineDash([]);
        line.raw.x.forEach((x, i) => {
          pen.beginPath(); pen.arc(...place(x, line.y[i]), 2.5, 0, 7); pen.fill();
        });
      }
    }
    pen.restore();
    if (view.drag && view.drag.now !== view.drag.start) {
      const [a, b] = [view.drag.start, view.drag.now].map(step => place(step, low)[0]);
      pen.fillStyle = cssColour("--accent"); pen.globalAlpha = 0.15;
      pen.fillRect(Math.min(a, b), box.top, Math.abs(b - a), box.bottom - box.top);
      pen.globalAlpha = 1;
    }
    if (view.hover !== null && view.hover >= from && view.hover <= to) crosshair(pen, chart, canvas, lines, place, box);
    legend(chart, canvas, lines);
  };
  const nearest = (xs, step) => {
    let a = 0, b = xs.length - 1;
    while (b - a > 1) { const m = (a + b) >> 1; if (xs[m] <= step) a = m; else b = m; }
    return Math.abs(xs[b] - step) < Math.abs(xs[a] - step) ? b : a;
  };
  const crosshair = (pen, chart, canvas, lines, place, box) => {
    const x = Math.round(place(view.hover, 0)[0]) + 0.5;
    pen.strokeStyle = cssColour("--ink-3"); pen.lineWidth = 1; pen.setLineDash([]);
    pen.beginPath(); pen.moveTo(x, box.top); pen.lineTo(x, box.bottom); pen.stroke();
    for (const line of lines) {
      if (view.hover > line.raw.x.at(-1)) continue;  // it ended earlier
      const i = nearest(line.raw.x, view.hover);
      pen.fillStyle = cssColour(line.colour);
      pen.beginPath(); pen.arc(...place(line.raw.x[i], line.y[i]), 3, 0, 7); pen.fill();
    }
  };
  const chip = (line, chart, value) => {
    const row = document.createElement("span"), mark = document.createElement("i");
    mark.style.borderTop = `2px ${line.dash.length ? (line.dash[0] < 3 ? "dotted" : "dashed") : "solid"} var(${line.colour})`;
    row.append(mark, value === undefined ? line.who : `${line.who} `);
    if (value !== undefined) { const b = document.createElement("b"); b.textContent = view.runs.length > 1 ? short(value, chart.unit) : number(value, chart.unit); row.append(b); }
    return row;
  };
  const legend = (chart, canvas, lines) => {
    const head = canvas.parentNode.querySelector(".chart-legend"), values = view.hover !== null;
    const at = values && lines.length ? view.hover : null;
    const step = view.hover, epoch = store[view.runs[0]?.id]?.epoch;
    const several = view.runs.length > 1, plain = chart.small || several || chart.lines.length > 1;
    let shown = plain ? lines.filter(line => !line.dots) : lines;
    if (several) shown = shown.filter(line => !chart.small && at !== null && at <= line.raw.x.at(-1));
    if (chart.small && shown.length > 1 && at === null) shown = [];  // the large ones say whose is whose
    const parts = shown.map(line => {
      if (at === null) return chip(line, chart, shown.length === 1 ? line.y.at(-1) : undefined);
      return chip(shown.length > 2 || several ? {...line, who: ""} : line, chart, line.y[nearest(line.raw.x, at)]);
    });
    if (shown.length === 1 && at === null) parts[0].querySelector("i").remove(), parts[0].firstChild.remove();
    head.replaceChildren(...parts);
    if (canvas === view.over && at !== null) {
      host.querySelector(".chart-where").textContent = `step ${step.toLocaleString("en-US")}`
        + (epoch ? ` \u00b7 epoch ${(step / epoch).toFixed(2)}` : "");
    }
    canvas.setAttribute("aria-label", `${chart.title}: ` + (lines.length
      ? lines.map(line => `${line.who} ${number(line.y.at(-1), chart.unit)} at step ${line.raw.x.at(-1)}`).join(", ")
      : "nothing measured yet"));
  };
  let asked = false;
  const draw = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      host.querySelectorAll("canvas").forEach((canvas, i) => view.charts[i] && drawOne(view.charts[i], canvas));
      host.querySelector(".chart-where").style.visibility = view.hover === null ? "hidden" : "visible";
      host.querySelector(".chart-reset").hidden = !view.zoom;
    });
  };

  /* ---- pointing ------------------------------------------------------------------------------------ */
  const stepAt = (canvas, event) => {
    const box = canvas.box, x = event.clientX - canvas.getBoundingClientRect().left;
    return Math.round(Math.min(box.to, Math.max(box.from, box.from + (x - box.left) / (box.right - box.left) * (box.to - box.from))));
  };
  const snap = (canvas, step) => {
    const xs = canvas.lines?.[0]?.raw.x;
    return xs?.length ? xs[nearest(xs, step)] : step;
  };
  const point = (canvas, step) => { view.over = canvas; view.hover = step; draw(); };
  const listen = canvas => {
    canvas.addEventListener("pointermove", event => {
      if (!canvas.box) return;
      if (view.drag) view.drag.now = stepAt(canvas, event);
      point(canvas, snap(canvas, stepAt(canvas, event)));
    });
    canvas.addEventListener("pointerleave", () => { view.hover = view.drag = null; draw(); });
    canvas.addEventListener("pointerdown", event => {
      if (canvas.box && event.pointerType === "mouse") view.drag = {start: stepAt(canvas, event), now: stepAt(canvas, event)};
    });
    canvas.addEventListener("pointerup", () => {
      const range = view.drag && [view.drag.start, view.drag.now].sort((a, b) => a - b);
      if (range && range[1] - range[0] > (canvas.box.to - canvas.box.from) / 50) view.zoom = range;
      view.drag = null; draw();
    });
    canvas.addEventListener("dblclick", () => zoom(null));
    canvas.addEventListener("blur", () => { view.hover = null; draw(); });
    canvas.addEventListener("keydown", event => {
      const xs = canvas.lines?.[0]?.raw.x, move = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (event.key === "Escape") { view.hover = null; zoom(null); }
      if (!move || !xs?.length) return;
      event.preventDefault();
      const at = view.hover === null ? xs.length - 1 : nearest(xs, view.hover) + move;
      point(canvas, xs[Math.min(xs.length - 1, Math.max(0, at))]);
    });
  };
  const zoom = range => { view.zoom = range; draw(); };

  /* ---- layout -------------------------------------------------------------------------------------- */
  const plan = charts => {
    const same = JSON.stringify(charts) === JSON.stringify(view.charts);
    view.charts = charts;
    if (same) return draw();
    const grids = {false: host.querySelector(".charts-main"), true: host.querySelector(".charts-small")};
    Object.values(grids).forEach(grid => grid.replaceChildren());
    for (const chart of charts) {
      const figure = document.createElement("figure"), head = document.createElement("figcaption");
      const title = document.createElement("b"), legend = document.createElement("span"), canvas = document.createElement("canvas");
      title.textContent = chart.title; legend.className = "chart-legend";
      canvas.tabIndex = 0; canvas.setAttribute("role", "img");
      head.append(title, legend); figure.append(head, canvas);
      listen(canvas);
      grids[chart.small].append(figure);
    }
    draw();
  };
  new ResizeObserver(draw).observe(host);
  return {take, have, plan, draw, zoom,
    runs: runs => { if (runs[0]?.id !== view.runs[0]?.id) view.zoom = null; view.runs = runs; draw(); },
    smoothing: weight => { view.weight = weight; draw(); }};
};
