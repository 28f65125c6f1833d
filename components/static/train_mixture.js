/* Train: the datasets of a mixture as rows. The recipe's text (`mine:0.9; general:0.1`) is what counts: rows are
   drawn from it, and write it. The first dataset is the one chosen above; here it has only a share. */
window.studioMixture = (root, server, hooks) => {
  const desk = root.querySelector(".mixture-rows");
  const REPLAY = 10;
  let parts = [], choices = [], given = null;

  const read = text => String(text || "").split(";").map(part => part.trim()).filter(Boolean).map(part => {
    if (part.startsWith("{")) {
      try { const {path, fraction, ...more} = JSON.parse(part); return {path, share: percent(fraction), more}; }
      catch { return {path: part, share: "", more: {}}; }
    }
    const found = part.match(/^(.+):([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)$/);
    return found ? {path: found[1], share: percent(Number(found[2])), more: {}} : {path: part, share: "", more: {}};
  });
  const percent = fraction => fraction === undefined || fraction === null ? "" : String(+(100 * fraction).toFixed(4));
  const written = part => {
    const fraction = part.share === "" ? undefined : +(Number(part.share) / 100).toFixed(8);
    const odd = Object.keys(part.more).length || /:[0-9.]+(e-?[0-9]+)?$/.test(part.path);
    if (odd) return JSON.stringify({path: part.path, ...part.more, ...(fraction === undefined ? {} : {fraction})});
    return fraction === undefined ? part.path : `${part.path}:${fraction}`;
  };
  const give = () => {
    const chosen = parts.filter(part => part.path);
    given = chosen.length > 1 ? chosen.map(written).join("; ") : "";
    hooks.give(given);
  };
  const element = (tag, attributes, ...inside) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...inside);
    return made;
  };
  const option = (value, label, chosen) => element("option", {value, textContent: label, selected: value === chosen});
  const button = (text, title, act) => {
    const made = element("button", {type: "button", className: "reward-more", textContent: text, title});
    made.onclick = act;
    return made;
  };

  const dataset = (part, at) => {
    if (!at) return element("span", {className: "mixture-first", textContent: "The dataset above"});
    const choice = element("select", {className: "mixture-dataset"});
    choice.setAttribute("aria-label", `Dataset ${at + 1}`);
    choice.append(option("", choices.length ? "Choose a dataset" : "No other dataset fits", part.path));
    if (part.path && !choices.some(each => each.value === part.path)) choice.append(option(part.path, part.path, part.path));
    for (const each of choices) choice.append(option(each.value, each.label, part.path));
    choice.onchange = () => { Object.assign(part, {path: choice.value, more: {}}); give(); };
    return choice;
  };
  const line = (part, at) => {
    const share = element("input", {type: "number", min: "0", step: "any", value: part.share, placeholder: "all", className: "mixture-share"});
    share.setAttribute("aria-label", `Share of dataset ${at + 1} in percent of the rows`);
    share.oninput = () => { part.share = share.value; give(); };
    const gone = element("button", {type: "button", className: "reward-gone", textContent: "\u00d7", title: "Remove this dataset"});
    gone.setAttribute("aria-label", `Remove dataset ${at + 1}`);
    gone.hidden = !at;
    gone.onclick = () => { parts.splice(at, 1); if (parts.length < 2) parts = []; draw(); give(); };
    return element("div", {className: "mixture-row"}, dataset(part, at), share, gone);
  };
  const add = share => {
    if (!parts.length) parts = [{path: "first", share: share ? "100" : "", more: {}}];
    if (share) for (const part of parts) part.share = String(+((Number(part.share) || 100 / parts.length) * (100 - share) / 100).toFixed(2));
    parts.push({path: "", share: share ? String(share) : "", more: {}});
    draw();
    learn();
    desk.querySelector(".mixture-row:last-of-type select")?.focus();
  };
  const draw = () => {
    const head = element("div", {className: "mixture-head"}, ...["Dataset", "% of rows"].map(text => element("span", {textContent: text})));
    const more = element("div", {className: "mixture-more"},
      button("Add a dataset", "Mix another dataset in", () => add(0)),
      button("Replay 10 %", "Mix in 10 % of a general dataset, so that the model forgets less", () => add(REPLAY)));
    desk.replaceChildren(...(parts.length ? [head] : []), ...parts.map(line), more);
  };
  const take = () => {
    if (given !== null && String(hooks.value() || "") === given) return; // what these rows wrote themselves
    given = null;
    parts = read(hooks.value());
    draw();
    if (parts.length) learn();
  };
  const learn = async () => {
    const reply = await server.mixture_choices({});
    if (!reply?.datasets || JSON.stringify(reply.datasets) === JSON.stringify(choices)) return;
    choices = reply.datasets;
    const had = desk.contains(document.activeElement) && document.activeElement.closest(".mixture-row");
    const at = had ? [...desk.querySelectorAll(".mixture-row")].indexOf(had) : -1;
    draw();
    if (at >= 0) desk.querySelectorAll(".mixture-row")[at]?.querySelector("select")?.focus();
  };
  hooks.watch(take);
  take();
  draw();
};
