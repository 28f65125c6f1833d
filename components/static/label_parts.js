/* Label: the labeling panel. One key, one round trip; the next pair is shown while the vote is being
   written. Markup of prompts and answers is the server's (components/ui/markdown.py: raw HTML stays text);
   everything else is set as text nodes. */
(() => {
  const STEPS = ["slightly", "better", "clearly", "much better"];
  const STEP_HINTS = ["slightly better", "better", "clearly better", "much better"];
  const KEYS = [["q / w", "slightly better"], ["1 / 2", "better"], ["Shift + q / w", "clearly better"], ["Shift + 1 / 2", "much better"], ["0", "tie"],
    ["b", "both bad"], ["s", "skip"], ["f", "flag as broken"], ["u", "undo"],
    ["e", "edit the better one"], ["n", "note"], ["d", "mark differences"], ["h", "earlier votes"], ["g", "guidelines"], ["?", "these keys"], ["Esc", "close"]];

  /* ---- small helpers -------------------------------------------------------------------------- */
  const make = (tag, options = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (name === "class") node.className = value;
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children.filter(child => child != null && child !== ""));
    return node;
  };
  const button = (label, key, act, options = {}) => make("button",
    {type: "button", ...options, onclick: act}, make("span", {}, label), key ? make("kbd", {}, key) : "");
  const wait = ms => new Promise(done => setTimeout(done, ms));
  const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))]
    .map(byte => byte.toString(16).padStart(2, "0")).join("");
  const count = number => number.toLocaleString("en-US");
  /* As studio/core/formatting.py writes it: one digit, and only all is 100 %. */
  const percent = share => {
    const text = share === 0 || share === 1 ? String(100 * share)
      : share < .01 ? String(+(100 * share).toPrecision(3)) : (100 * share).toFixed(1);
    return (text === "100.0" ? "over 99.9" : text) + " %";
  };
  const voteText = (choice, strength) => ({tie: "tie", both_bad: "both bad", skip: "skipped",
    broken: "flagged"}[choice]
    || (choice === "left" ? "1 " : "2 ") + STEP_HINTS[strength - 1]);

  const rich = html => {
    const box = make("div", {class: "lab-md", dir: "auto"});
    box.innerHTML = html;
    return box;
  };
  const turns = item => item.prompt.map(({role}, at) =>
    make("div", {class: "lab-turn lab-" + (role === "user" ? "user" : "other")},
      make("span", {class: "lab-role"}, role),
      make("div", {class: "lab-text"}, rich(item.html.prompt[at]))));

  /* ---- the frame: built once, filled again and again -------------------------------------------- */
  const frame = (root, act) => {
    const part = {};
    const card = (side, key) => {
      const letter = side === "left" ? "q" : "w", keys = [letter, key, "⇧" + letter, "⇧" + key];
      const steps = STEPS.map((label, i) => button(label, keys[i],
        () => act.vote(side, i + 1), {class: "lab-step lab-step-" + (i + 1),
          title: `Answer ${key} is ${STEP_HINTS[i]}`, "data-vote": `${side}-${i + 1}`}));
      part[side] = make("div", {class: "lab-text lab-answer-text", dir: "auto", tabindex: "0",
        "aria-label": "answer " + key});
      return make("article", {class: "lab-answer", "data-side": side},
        make("h4", {}, make("span", {class: "lab-number"}, key)), part[side],
        make("div", {class: "lab-steps", role: "group", "aria-label": "answer " + key + " is"}, ...steps));
    };
    part.question = make("h3", {class: "lab-question"});
    part.guide = make("button", {type: "button", class: "lab-quiet", onclick: () => act.guidelines()},
      make("span", {}, "Guidelines"));
    part.count = make("span", {class: "lab-count"});
    part.pace = make("span", {class: "lab-pace"});
    part.copy = make("span", {class: "lab-copy", hidden: true});
    part.saved = make("span", {class: "lab-saved", role: "status", "aria-live": "polite"});
    part.bar = make("i", {});
    part.guidelines = make("div", {class: "lab-guidelines lab-text", hidden: true});
    part.banner = make("div", {class: "lab-banner", role: "status", hidden: true});
    part.prompt = make("div", {class: "lab-prompt", tabindex: "0", "aria-label": "prompt"});
    part.side = make("div", {class: "lab-side", hidden: true});
    part.actions = make("div", {class: "lab-actions"}, make("div", {class: "lab-group lab-votes"},
      button("1 better", "", () => act.vote("left", 2), {class: "lab-act lab-thumb", "data-act": "1"}),
      button("Tie", "0", () => act.vote("tie", 0), {class: "lab-act", "data-act": "tie"}),
      button("2 better", "", () => act.vote("right", 2), {class: "lab-act lab-thumb", "data-act": "2"}),
      button("Both bad", "b", () => act.vote("both_bad", 0), {class: "lab-act", "data-act": "both_bad"}),
      button("Skip", "s", () => act.vote("skip", 0), {class: "lab-act", "data-act": "skip"})),
      make("div", {class: "lab-group lab-tools"},
      button("Undo", "u", act.undo, {class: "lab-act", "data-act": "undo"}),
      button("Edit", "e", act.edit, {class: "lab-act", "data-act": "edit"}),
      button("Note", "n", act.note, {class: "lab-act", "data-act": "note"}),
      button("Earlier", "h", act.history, {class: "lab-act", "data-act": "history"}),
      button("Differences", "d", act.differences, {class: "lab-act", "data-act": "differences"}),
      button("Flag", "f", () => act.vote("broken", 0), {class: "lab-act", "data-act": "broken",
        title: "This pair cannot be judged: cut off, garbled, the wrong language"}),
      part.results = button("Results", "", act.results, {class: "lab-act", "data-act": "results"}),
      button("Keys", "?", act.help, {class: "lab-act lab-keys-button", "data-act": "help"})));
    part.pair = make("div", {class: "lab-pair"}, card("left", "1"), card("right", "2"));
    part.extra = make("div", {class: "lab-extra", hidden: true});
    part.work = make("div", {class: "lab-work"}, part.banner, part.prompt, part.pair, part.extra,
      part.actions);
    part.rest = make("div", {class: "lab-rest", hidden: true});
    part.head = make("div", {class: "lab-head"}, part.question, part.guide,
      make("div", {class: "lab-standing"}, part.count, part.pace, part.copy, part.saved));
    root.replaceChildren(part.head, make("div", {class: "lab-bar"}, part.bar), part.guidelines,
      part.work, part.rest, part.side);
    return part;
  };

  /* ---- what differs between the two, word by word (longest common subsequence) ------------------- */
  const LONGEST = 1500;  // words; beyond it the table would take seconds
  const mark = (one, two) => {
    const [a, b] = [one, two].map(text => text.split(/(\s+)/));
    const words = list => list.map((word, at) => [word, at]).filter(([word]) => word.trim());
    const [x, y] = [words(a), words(b)];
    if (x.length > LONGEST || y.length > LONGEST) return null;
    const size = x.map(() => new Uint16Array(y.length + 1)).concat([new Uint16Array(y.length + 1)]);
    for (let i = x.length - 1; i >= 0; i -= 1) for (let j = y.length - 1; j >= 0; j -= 1)
      size[i][j] = x[i][0] === y[j][0] ? size[i + 1][j + 1] + 1 : Math.max(size[i + 1][j], size[i][j + 1]);
    const same = [new Set(), new Set()];
    for (let i = 0, j = 0; i < x.length && j < y.length;) {
      if (x[i][0] === y[j][0]) { same[0].add(x[i][1]); same[1].add(y[j][1]); i += 1; j += 1; }
      else if (size[i + 1][j] >= size[i][j + 1]) i += 1; else j += 1;
    }
    return [a, b].map((list, side) => list.map((word, at) =>
      word.trim() && !same[side].has(at) ? make("mark", {}, word) : word));
  };

  /* ---- reasons and aspects: given with a vote ----------------------------------- */
  const SIDES = [["left", "1"], ["tie", "="], ["right", "2"]];
  const choices = (project, state) => {
    const press = (node, on) => node.setAttribute("aria-pressed", on);
    const chips = project.reasons.map(reason => {
      const chip = button(reason, "", () => {
        const on = !state.reasons.delete(reason);
        if (on) state.reasons.add(reason);
        press(chip, on);
      }, {class: "lab-chip", "aria-pressed": "false"});
      return chip;
    });
    const rows = project.aspects.map(aspect => {
      const three = SIDES.map(([side, label]) => button(label, "", () => {
        if (state.aspects[aspect] === side) delete state.aspects[aspect];
        else state.aspects[aspect] = side;
        three.forEach((node, at) => press(node, state.aspects[aspect] === SIDES[at][0]));
      }, {class: "lab-chip", "aria-pressed": "false", "aria-label": `${aspect}: ${label}`}));
      return make("span", {class: "lab-aspect", role: "group", "aria-label": aspect}, aspect, ...three);
    });
    return [...rows, ...(chips.length ? [make("span", {class: "lab-aspect"}, "because", ...chips)] : [])];
  };

  const typing = node => node && (node.isContentEditable
    || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName));

  /* What was typed and not sent yet, by what it is for: a card that is drawn anew, or a whole panel, shows it again. */
  const drafts = new Map();
  const kept = (field, key, usual = "") => {
    field.value = drafts.get(key) ?? usual;
    field.addEventListener("input", () => drafts.set(key, field.value));
    return field;
  };
  const draft = key => drafts.get(key);
  const remember = (key, text) => drafts.set(key, text);
  const forget = (...keys) => keys.forEach(key => drafts.delete(key));

  window.studioLabelParts = {kept, draft, remember, forget, make, button, wait, newKey, count, percent, voteText, turns, rich, frame,
    mark, choices, typing, KEYS};
})();
