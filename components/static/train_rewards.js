/* Train: the terms of a reward as rows. The recipe's text is what counts: rows are drawn from it, and write it. */
window.studioRewards = (root, server, kinds, hooks) => {
  const desk = root.querySelector(".reward-rows");
  const known = Object.fromEntries(kinds.map(row => [row.kind, row]));
  let parts = [], runs = [], given = "";

  const split = (text, by) => String(text || "").split(by).map(part => part.trim()).filter(Boolean);
  const read = value => {
    const weights = split(value?.weights, ",");
    return split(value?.funcs, ";").map((text, at) => {
      const colon = text.indexOf(":");
      const kind = colon < 0 ? text : text.slice(0, colon);
      return {kind, detail: colon < 0 ? "" : text.slice(colon + 1), weight: weights[at] ?? "1"};
    });
  };
  const give = () => {
    const text = part => part.detail ? `${part.kind}:${part.detail.replaceAll(";", "\\x3b")}` : part.kind;
    const plain = parts.every(part => Number(part.weight) === 1);
    const value = {funcs: parts.map(text).join("; "), weights: plain ? "" : parts.map(part => part.weight || "1").join(", ")};
    given = JSON.stringify(value);
    hooks.give(value);
  };
  const element = (tag, attributes, ...inside) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...inside);
    return made;
  };
  const option = (value, label, chosen) => element("option", {value, textContent: label, selected: value === chosen});

  const detail = (part, row) => {
    if (part.kind !== "model") {
      const field = element("input", {type: "text", value: part.detail, placeholder: row?.detail || "", className: "reward-detail"});
      field.setAttribute("aria-label", "Setting");
      field.oninput = () => { part.detail = field.value.trim(); give(); };
      return field;
    }
    const choice = element("select", {className: "reward-detail"});
    choice.setAttribute("aria-label", "Reward model");
    const known_run = runs.find(run => run.id === part.detail || run.name === part.detail);
    choice.append(option("", runs.length ? "choose a run" : "no finished reward model yet", part.detail));
    if (part.detail && !known_run) choice.append(option(part.detail, part.detail, part.detail));
    for (const run of runs) choice.append(option(run.id, run.name, known_run?.id));
    choice.onchange = () => { part.detail = choice.value; give(); };
    return choice;
  };
  const line = (part, at) => {
    const row = known[part.kind];
    const kind = element("select", {className: "reward-kind"}, ...kinds.map(each => option(each.kind, each.label, part.kind)));
    kind.setAttribute("aria-label", `Term ${at + 1}`);
    if (!row) kind.prepend(option(part.kind, part.kind, part.kind));
    kind.onchange = () => { Object.assign(part, {kind: kind.value, detail: kind.value === "length" ? "1-30" : ""}); draw(); give(); };
    const weight = element("input", {type: "number", step: "any", value: part.weight, className: "reward-weight"});
    weight.setAttribute("aria-label", "Weight");
    weight.oninput = () => { part.weight = weight.value; give(); };
    const gone = element("button", {type: "button", className: "reward-gone", textContent: "\u00d7", title: "Remove this term"});
    gone.setAttribute("aria-label", "Remove this term");
    gone.onclick = () => { parts.splice(at, 1); draw(); give(); };
    const help = element("p", {className: "quiet", textContent: row?.help || "Unknown reward."});
    return element("div", {className: "reward-row"}, kind, weight, gone, detail(part, row), help);
  };
  const draw = () => {
    const more = element("button", {type: "button", className: "reward-more", textContent: "Add a term"});
    more.onclick = () => { parts.push({kind: "length", detail: "1-30", weight: "1"}); draw(); give(); };
    const head = element("div", {className: "reward-head"}, ...["Term", "Weight"].map(text => element("span", {textContent: text})));
    desk.replaceChildren(...(parts.length ? [head] : []), ...parts.map(line), more);
  };
  const take = () => {
    if (JSON.stringify(hooks.value()) === given) return; // what these rows wrote themselves
    parts = read(hooks.value());
    draw();
    if (parts.some(part => part.kind === "model")) learn();
  };
  const learn = async () => {
    const reply = await server.reward_models({});
    if (!reply?.runs || JSON.stringify(reply.runs) === JSON.stringify(runs)) return;
    runs = reply.runs;
    if (!desk.contains(document.activeElement) || document.activeElement.matches(".reward-kind")) draw();
  };
  desk.addEventListener("change", event => { if (event.target.matches(".reward-kind")) learn(); });
  desk.addEventListener("pointerdown", event => { if (event.target.matches("select.reward-detail")) learn(); });
  hooks.watch(take);
  take();
  draw();
};
