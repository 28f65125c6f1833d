/* Label: the judging panel. One key, one round trip; the next pair is shown while the vote is being
   written. Text of prompts and answers is only ever set as text nodes, never as markup. */
(() => {
  const STEPS = ["slightly", "better", "clearly", "much better"];
  const STEP_HINTS = ["slightly better", "better", "clearly better", "much better"];
  const EXPORTS = [["dpo", "DPO"], ["kto", "KTO"], ["reward", "reward model"]];
  const KEYS = [["1 / 2", "better"], ["Shift + 1 / 2", "much better"], ["0", "tie"],
    ["b", "both bad"], ["s", "skip"], ["u", "undo"], ["e", "edit the better one"], ["n", "note"],
    ["h", "earlier votes"], ["g", "guidelines"], ["?", "these keys"], ["Esc", "close"]];

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
  const percent = share => Math.round(share * 100) + " %";
  const verdictText = (choice, strength) => ({tie: "tie", both_bad: "both bad", skip: "skipped"}[choice]
    || (choice === "left" ? "1 " : "2 ") + STEP_HINTS[strength - 1]);

  /* Fenced code, inline code and bold, as elements; everything else stays text. */
  const prose = text => {
    const box = document.createDocumentFragment();
    text.split(/\n*(^```[^\n]*\n[\s\S]*?(?:^```[ \t]*$|$(?![\s\S])))\n*/m).forEach(part => {
      const code = part.match(/^```[^\n]*\n([\s\S]*?)(?:\n?```[ \t]*)?$/);
      if (code) box.append(make("pre", {}, make("code", {}, code[1])));
      else part.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/).forEach(piece => {
        if (/^`.+`$/.test(piece)) box.append(make("code", {}, piece.slice(1, -1)));
        else if (/^\*\*.+\*\*$/.test(piece)) box.append(make("b", {}, piece.slice(2, -2)));
        else box.append(piece);
      });
    });
    return box;
  };
  const turns = messages => messages.map(({role, content}) =>
    make("div", {class: "lab-turn lab-" + (role === "user" ? "user" : "other")},
      make("span", {class: "lab-role"}, role), make("div", {class: "lab-text"}, prose(content))));

  /* ---- the frame: built once, filled again and again -------------------------------------------- */
  const frame = (root, act) => {
    const part = {};
    const card = (side, key) => {
      const steps = STEPS.map((label, i) => button(label, i === 1 ? key : i === 3 ? "⇧" + key : "",
        () => act.vote(side, i + 1), {class: "lab-step lab-step-" + (i + 1),
          title: `Answer ${key} is ${STEP_HINTS[i]}`, "data-vote": `${side}-${i + 1}`}));
      part[side] = make("div", {class: "lab-text lab-answer-text", tabindex: "0",
        "aria-label": "answer " + key});
      return make("article", {class: "lab-answer", "data-side": side},
        make("h4", {}, make("span", {class: "lab-number"}, key)), part[side],
        make("div", {class: "lab-steps", role: "group", "aria-label": "answer " + key + " is"}, ...steps));
    };
    part.question = make("h3", {class: "lab-question"});
    part.guide = make("button", {type: "button", class: "lab-quiet", onclick: () => act.guidelines()},
      "Guidelines");
    part.count = make("span", {class: "lab-count"});
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
      button("Results", "", act.results, {class: "lab-act", "data-act": "results"}),
      button("Keys", "?", act.help, {class: "lab-act lab-keys-button", "data-act": "help"})));
    part.pair = make("div", {class: "lab-pair"}, card("left", "1"), card("right", "2"));
    part.work = make("div", {class: "lab-work"}, part.banner, part.prompt, part.pair, part.actions);
    part.rest = make("div", {class: "lab-rest", hidden: true});
    part.head = make("div", {class: "lab-head"}, part.question, part.guide,
      make("div", {class: "lab-standing"}, part.count, part.saved));
    root.replaceChildren(part.head, make("div", {class: "lab-bar"}, part.bar), part.guidelines,
      part.work, part.rest, part.side);
    return part;
  };

  /* ---- the reveal ------------------------------------------------------------------------------- */
  /* The same colours as everywhere: base slate, tuned violet; blue for a second tuned one. */
  const isBase = name => name === "base" || name.endsWith("(base)");
  const colours = (a, b) => isBase(b) ? ["tuned", "base"] : isBase(a) ? ["base", "tuned"]
    : ["tuned", "other"];
  const duel = rate => {
    const total = rate.wins + rate.losses + rate.ties + rate.both_bad;
    const [first, second] = rate.losses > rate.wins
      ? [{name: rate.b, wins: rate.losses, low: 1 - rate.high, high: 1 - rate.low, rate: 1 - rate.rate},
        {name: rate.a, wins: rate.wins}]
      : [{name: rate.a, wins: rate.wins, low: rate.low, high: rate.high, rate: rate.rate},
        {name: rate.b, wins: rate.losses}];
    const decisive = rate.wins + rate.losses;
    const [one, two] = colours(first.name, second.name);
    const segment = (kind, size, label) => size
      ? make("span", {class: "lab-seg lab-seg-" + kind, style: `flex:${size}`,
        title: `${label}: ${size} of ${total}`}, String(size)) : "";
    const even = first.wins === second.wins;
    const settled = decisive > 0 && (first.low > .5 || first.high < .5);
    const head = !decisive ? "No pair was decided for either side."
      : even ? `${first.name} and ${second.name} are even, ${first.wins} to ${second.wins}.`
      : `${first.name} won ${count(first.wins)} of ${count(decisive)} decided pairs.`;
    const sure = !decisive ? "" : `${percent(first.wins / decisive)} of the decided, 95 % interval `
      + `${percent(first.low)} to ${percent(first.high)}; sign test p = ${pValue(rate.p_value)}; `
      + `${percent(first.rate)} with ties as half. ` + (settled ? ""
        : "Not settled: the interval includes 50 %, so more votes are needed.");
    return make("section", {class: "lab-duel"}, make("h3", {}, head),
      make("div", {class: "lab-segs", role: "img", "aria-label": head},
        segment(one, first.wins, first.name), segment("tie", rate.ties, "tie"),
        segment("bad", rate.both_bad, "both bad"), segment(two, second.wins, second.name)),
      make("div", {class: "lab-legend"}, legend(one, first.name, first.wins),
        legend("tie", "tie", rate.ties), legend("bad", "both bad", rate.both_bad),
        legend(two, second.name, second.wins)),
      make("p", {}, sure));
  };
  const legend = (kind, name, size) => size || !["tie", "bad"].includes(kind)
    ? make("span", {}, make("i", {class: "lab-seg-" + kind}), `${name} ${count(size)}`) : "";
  const pValue = p => p < .001 ? "less than 0.001" : p.toFixed(3);
  const leftOut = summary => {
    const parts = Object.entries(summary.left_out).map(([why, size]) => `${count(size)} ${why}`);
    const pairs = `${count(summary.rows)} ${summary.rows === 1 ? "pair" : "pairs"} to train on`
      + (summary.edited ? `, ${count(summary.edited)} of them edited` : "");
    return pairs + (parts.length ? `; left out: ${parts.join(", ")}.` : ".");
  };
  const save = (name, text) => {
    const link = make("a", {href: URL.createObjectURL(new Blob([text], {type: "application/jsonl"})),
      download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const typing = node => node && (node.isContentEditable
    || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName));

  window.studioLabelParts = {make, button, wait, newKey, count, verdictText, turns, prose, frame, duel,
    leftOut, save, typing, KEYS, EXPORTS};
})();
