/* Label: what the judging panel does. `studioLabel(element, server, hooks)` is called by the component
   when it appears; `server` holds the functions of components/label/annotation_api.py. */
window.studioLabel = (element, server, hooks) => {
  const {make, button, wait, newKey, count, voteText, turns, rich, frame, mark, choices, typing,
    KEYS, kept, draft, remember, forget} = window.studioLabelParts;
  const {reveal, save} = window.studioLabelResults;
  const root = element.querySelector(".lab");
  const RULING = 2;  // studio.labels.types
  const state = {project: null, annotator: "", item: null, after: null, progress: null, note: "",
    edit: null, revising: null, revealed: false, flying: 0, sent: 0, opened: 0,
    waiting: null, since: 0, away: 0, hidden: 0, owner: true, login: false, coming: null, aside: "", marked: false, reasons: new Set(), aspects: {}};

  /* ---- asking the server ------------------------------------------------------------------------ */
  const seatNow = () => ({project: state.project?.id, annotator: state.annotator});
  const ask = (name, more = {}) => server[name]({...seatNow(), ...more});

  /* A vote is sent until the server has answered, under one key: it is kept once, however often.
     Null when somebody sat down elsewhere meanwhile: the vote is kept, but its answer is not for here. */
  const insist = async (name, more) => {
    const seat = seatNow();
    state.flying += 1;
    state.sent += 1;
    saved("saving", "busy");
    try {
      for (let pause = 500; ; pause = Math.min(pause * 2, 8000)) {
        const reply = await server[name]({...seat, ...more});
        const now = seatNow();
        if (reply) return seat.project === now.project && seat.annotator === now.annotator ? reply : null;
        saved("not saved: no connection, trying again", "lost");
        await wait(pause);
      }
    } finally { state.flying -= 1; }
  };
  const saved = (text, kind) => { part.saved.textContent = text; part.saved.dataset.kind = kind; };

  /* ---- showing ---------------------------------------------------------------------------------- */
  const showItem = item => {
    state.item = item;
    state.note = draft(`note ${item.id}`) ?? ""; state.edit = null; state.marked = false;
    state.reasons = new Set(); state.aspects = {};
    part.extra.replaceChildren(...choices(state.project, state));
    part.extra.hidden = !part.extra.childElementCount;
    state.since = performance.now(); state.away = 0;
    aside(null);
    part.work.hidden = !item;
    part.rest.hidden = !!item;
    if (!item) return;
    part.prompt.replaceChildren(...(item.html.tools ? [rich(item.html.tools)] : []), ...turns(item));
    for (const side of ["left", "right"]) {
      part[side].replaceChildren(rich(item.html[side]));
      part[side].scrollTop = 0;
    }
    part.prompt.scrollTop = part.prompt.scrollHeight;
    if (part.prompt.getBoundingClientRect().top < 48) part.head.scrollIntoView({block: "start"});
  };
  const showStanding = () => {
    const p = state.progress;
    part.head.hidden = !p;
    if (!p) return;
    const seconds = p.seconds_each && p.left ? p.left * p.seconds_each : 0;
    const left = !seconds ? "" : seconds < 60 ? "under a minute left" : `${count(Math.round(seconds / 60))} min left`;
    const all = p.wanted == null ? "" : ` · ${count(p.together)} of ${count(p.wanted)} in all`;
    part.count.textContent = `${count(p.done)} of ${count(p.total)}${all}`;
    part.pace.textContent = [p.today ? `${count(p.today)} today` : "", p.seconds_each
      ? `${Math.max(1, Math.round(p.seconds_each))} s per vote` : "", left].filter(Boolean).join(" · ");
    part.bar.style.width = (p.total ? 100 * p.done / p.total : 0) + "%";
  };
  /* Sent with every visit: whether more pairs are being generated, how many were set aside, and the
     age of the last backup. */
  const about = reply => {
    state.coming = reply.coming || null;
    state.aside = Object.entries(reply.aside || {}).map(([why, size]) => `${count(size)} ${why}`).join(", ");
    part.copy.hidden = !reply.copy;
    part.copy.textContent = reply.copy?.text || "";
    part.copy.dataset.kind = reply.copy?.kind || "";
    part.copy.title = reply.copy?.more || "";
    if (state.coming?.error) complain(state.coming.error);
  };
  /* The guidelines and the button that opens them; owners of a project without any may add some. */
  const showGuidelines = project => {
    state.project = project;
    const text = project.guidelines;
    part.guide.hidden = !text && !state.owner;
    part.guide.firstChild.textContent = text ? "Guidelines" : "Add guidelines";
    part.guidelines.replaceChildren(rich(text), state.owner
      ? button("Edit guidelines", "", act.writeGuidelines, {class: "lab-act", "data-act": "guidelines"}) : "");
    part.guidelines.hidden = part.guidelines.hidden || !text;
  };
  const take = reply => {
    if (reply.guideline_version !== state.project.guideline_version) renew();
    state.progress = reply.progress;
    state.after = reply.after;
    showStanding();
    if (!reply.item) finish();
    else if (reply.item.id !== state.item?.id || state.revising) { leaveReveal(); showItem(reply.item); }
    state.revising = null;
    part.banner.hidden = true;
  };
  /* Somebody has edited the guidelines since they were last read. */
  const renew = async () => {
    const reply = await ask("label_open");
    if (!reply || reply.error || reply.project.id !== state.project?.id) return;
    showGuidelines(reply.project);
    part.guidelines.hidden = false;
    tell("The guidelines have changed; please read them again.", "info");
  };
  const say = (title, text) => {
    part.work.hidden = true;
    part.rest.hidden = false;
    part.rest.replaceChildren(make("div", {class: "empty"}, make("h3", {}, title), make("p", {}, text)));
  };
  const tell = (text, kind) => { part.banner.textContent = text; part.banner.dataset.kind = kind;
    part.banner.hidden = false; };
  const complain = text => tell(text, "error");
  const aside = node => {
    part.side.replaceChildren(...(node ? [node] : []));
    part.side.hidden = !node;
    part.side.dataset.what = node?.dataset.what || "";
  };
  const toggle = (what, build) => {
    if (part.side.dataset.what === what) return aside(null);
    const node = build();
    node.dataset.what = what;
    aside(node);
    const field = node.querySelector("textarea");
    if (field) field.focus();
    else part.side.scrollIntoView({block: "nearest"});
  };

  /* ---- acting ------------------------------------------------------------------------------------- */
  const act = {
    async vote(choice, strength, edited = "") {
      const item = state.item;
      if (state.revealed || part.work.hidden) return;
      if (moving() || root.ariaBusy) return tell("One moment: loading the pairs for this name.", "info");
      if (!item) return;
      if (state.flying) { state.waiting = () => state.item === item && act.vote(choice, strength, edited); return; }
      const seconds = Math.max(0, (performance.now() - state.since - state.away) / 1000);
      const vote = {item: item.id, choice, strength, seconds, note: state.note, edited, key: newKey(),
        turn: item.turn, reasons: [...state.reasons], aspects: {...state.aspects}};
      flash(choice);
      const ahead = !state.revising && state.after;
      if (ahead) showItem(state.after);
      const reply = await insist("label_vote", vote);
      if (!reply) return next();
      if (reply.error) { await act.open(); saved("not saved", "lost"); complain(reply.error); }
      else {
        const settled = state.revising?.settle;
        forget(`note ${item.id}`, `edit ${item.id} left`, `edit ${item.id} right`);
        take(reply);
        if (settled) await act.results(true);
        saved("saved: " + voteText(choice, strength) + (edited ? ", edited" : ""), "safe");
      }
      next();
    },
    async undo() {
      if (state.flying) { state.waiting = act.undo; return; }
      if (!state.project) return;
      const reply = await insist("label_undo", {key: newKey()});
      if (!reply) return next();
      if (reply.error) { saved("", ""); return complain(reply.error); }
      state.item = null;
      take(reply);
      saved(reply.undone ? "undone" : "nothing to undo", "safe");
      next();
    },
    async open() {
      const seat = hooks.value() || {};
      if (!seat.project) { state.project = null; state.progress = null; showStanding();
        return say("Compare two answers blind",
          "Choose a project above, create one under Projects, or send pairs here from Compare."); }
      if (!seat.annotator) return askName();
      forget("name");
      const same = state.project?.id === seat.project && state.annotator === seat.annotator;
      if (!same) { Object.assign(state, {item: null, revising: null, revealed: false}); saved("", ""); root.ariaBusy = "true"; }
      state.annotator = seat.annotator;
      const turn = state.opened += 1, sent = state.sent, flying = state.flying;
      const reply = await server.label_open({project: seat.project, annotator: seat.annotator});
      if (turn !== state.opened) return;  // asked again meanwhile
      root.ariaBusy = null;
      if (!reply) return say("No connection", "The server did not answer; reload the page.");
      if (reply.error) { part.head.hidden = true; return say("This project cannot be shown", reply.error); }
      state.project = reply.project;
      state.owner = reply.person.owner;
      state.login = reply.person.login;
      root.dataset.annotator = reply.person.name;
      part.results.hidden = !state.owner;
      part.question.textContent = reply.project.question;
      showGuidelines(reply.project);
      about(reply);
      if (same && (flying || state.sent !== sent)) return;  // a vote was on its way: its answer is the newer one
      if (same && state.revealed && reply.item) { state.progress = reply.progress; return showStanding(); }
      take(reply);
    },
    async history() {
      if (!state.project) return;
      if (part.side.dataset.what === "history") return aside(null);
      const reply = await ask("label_history");
      if (!reply || reply.error) return complain(reply?.error || "The server did not answer; try again.");
      const rows = reply.votes.map(vote => make("button", {type: "button", class: "lab-past",
        onclick: () => act.revise(vote)}, make("b", {}, voteText(vote.choice, vote.strength)
          + (vote.edited ? ", edited" : "")), make("span", {}, vote.asked)));
      toggle("history", () => make("div", {class: "lab-past-list"}, make("h4", {}, rows.length
        ? "Your latest votes; choose one to change it" : "No votes yet"), ...rows));
    },
    async revise(vote) {
      const reply = await ask("label_show", {item: vote.item});
      if (!reply || reply.error) return complain(reply?.error || "The server did not answer; try again.");
      leaveReveal();
      showItem(reply.item);
      state.revising = vote;
      tell("Changing an earlier vote (" + voteText(vote.choice, vote.strength)
        + "). Both stay on record. Esc goes back.", "info");
    },
    async settle(item) {
      const reply = await ask("label_show", {item});
      if (!reply || reply.error) return complain(reply?.error || "The server did not answer; try again.");
      leaveReveal();
      showItem({...reply.item, turn: RULING});
      state.revising = {settle: true};
      tell("Deciding a disagreement: your vote alone decides this pair. Esc goes back.", "info");
    },
    differences() {
      if (!state.item || state.revealed || part.work.hidden) return;
      state.marked = !state.marked;
      const marked = state.marked && mark(state.item.left, state.item.right);
      if (state.marked && !marked) { state.marked = false; return complain("These answers are too long to compare word by word."); }
      ["left", "right"].forEach((side, at) =>
        part[side].replaceChildren(...(marked ? marked[at] : [rich(state.item.html[side])])));
    },
    async retire(item) {
      const reply = await ask("label_retire", {item});
      if (!reply || reply.error) return complain(reply?.error || "The server did not answer; try again.");
      part.rest.replaceChildren(reveal({...reply, aside: state.aside}, act, download));
    },
    note() {
      if (!state.item || state.revealed || part.work.hidden) return;
      toggle("note", () => {
        const field = make("textarea", {dir: "auto", rows: 2, maxlength: 4000, "aria-label": "note on this pair",
          placeholder: "Why? Stored with your vote on this pair. Enter closes.",
          oninput: () => { state.note = field.value; },
          onkeydown: event => { if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); aside(null); } }});
        return make("div", {class: "lab-note"}, kept(field, `note ${state.item.id}`, state.note));
      });
    },
    edit() {
      if (!state.item || state.revealed || part.work.hidden) return;
      toggle("edit", () => {
        const field = make("textarea", {dir: "auto", rows: 6, maxlength: 100000, "aria-label": "edited answer"});
        const tabs = ["left", "right"].map((side, i) => button("Improve " + (i + 1), "", () => choose(side)));
        const choose = side => {
          state.edit = side;
          field.value = draft(`edit ${state.item.id} ${side}`) ?? state.item[side];
          tabs.forEach((tab, i) => tab.setAttribute("aria-pressed", side === ["left", "right"][i]));
          field.focus();
        };
        const done = () => act.vote(state.edit, 2, field.value);
        const of = state.item.id;
        field.addEventListener("input", () => remember(`edit ${of} ${state.edit}`, field.value));
        field.addEventListener("keydown", event => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); done(); }
        });
        const box = make("div", {class: "lab-edit"}, make("div", {class: "lab-edit-bar"}, ...tabs,
          make("span", {}, "The edited text becomes the chosen answer; the original is kept."),
          button("Save as better", "Ctrl ↵", done, {class: "lab-act"})), field);
        choose(state.edit || "left");
        return box;
      });
    },
    help() {
      toggle("help", () => make("div", {class: "lab-help"}, ...KEYS.map(([key, what]) =>
        make("span", {}, make("kbd", {}, key), " " + what))));
    },
    guidelines() {
      if (part.guide.hidden) return;
      if (!state.project.guidelines) return act.writeGuidelines();
      part.guidelines.hidden = !part.guidelines.hidden;
    },
    writeGuidelines() {
      toggle("guidelines", () => {
        const field = make("textarea", {dir: "auto", rows: 8, "aria-label": "guidelines", placeholder: "What makes an answer better? Markdown."});
        const error = make("p", {class: "lab-warn", role: "alert", hidden: true});
        const text = `guidelines ${state.project.id}`;
        const done = async () => {
          const reply = await ask("label_guidelines", {text: field.value});
          error.textContent = reply?.error || "The server did not answer; try again.";
          error.hidden = !!reply?.project;
          if (!reply?.project) return field.focus();
          forget(text);
          showGuidelines(reply.project);
          part.guidelines.hidden = false;
          aside(null);
          part.guide.focus();
          saved("guidelines saved", "safe");
        };
        kept(field, text, state.project.guidelines_text);
        field.addEventListener("keydown", event => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); done(); }
        });
        return make("div", {class: "lab-edit"}, make("div", {class: "lab-edit-bar"},
          make("span", {}, "Annotators see the new text with their next pair; earlier votes keep the version they were cast under."),
          button("Cancel", "Esc", () => { forget(text); aside(null); part.guide.focus(); }, {class: "lab-act"}),
          button("Save guidelines", "Ctrl ↵", done, {class: "lab-act", "data-act": "save-guidelines"})), field, error);
      });
    },
    async results(asked = false) {
      if (state.progress?.left && !state.revealed && asked !== true) return askReveal();
      const reply = await ask("label_results");
      if (!reply || reply.error) return complain(reply?.error || "The server did not answer; try again.");
      state.revealed = true;
      aside(null);
      part.work.hidden = true;
      part.rest.hidden = false;
      part.rest.replaceChildren(reveal({...reply, aside: state.aside}, act, download));
      if (state.progress) hooks.revealed();
    },
    back() { leaveReveal(); if (state.item) { part.work.hidden = false; part.rest.hidden = true; state.since = performance.now(); } },
  };
  const askReveal = () => {
    aside(null);
    part.work.hidden = true;
    part.rest.hidden = false;
    part.rest.replaceChildren(make("div", {class: "empty lab-who"}, make("h3", {}, "Show whose answers they are?"),
      make("p", {}, `${count(state.progress.left)} pairs are left. Once the names are shown, your later votes on them are not blind.`),
      make("p", {class: "lab-who-row"}, button("Keep labeling", "Esc", act.back, {class: "lab-act", "data-act": "back"}),
        button("Show results", "", () => act.results(true), {class: "lab-act", "data-act": "reveal"}))));
  };
  /* Asked once: votes of two people under one name could not be told apart again. */
  const askName = () => {
    Object.assign(state, {project: null, progress: null, item: null, annotator: ""});
    showStanding();
    const own = /^(localhost|127\.|\[::1\])/.test(location.hostname);
    const redrawn = part.rest.contains(document.activeElement) || draft("name");
    const name = make("input", {type: "text", maxLength: 80, "aria-label": "Name to label under", autocomplete: "name"});
    kept(name, "name");
    const sit = () => {
      const field = document.querySelector("#label-name input, #label-name textarea");
      if (!field || !name.value.trim()) return name.focus();
      field.value = name.value.trim();
      field.dispatchEvent(new Event("input", {bubbles: true}));
      setTimeout(() => { field.focus(); field.blur(); });
    };
    name.addEventListener("keydown", event => { if (event.key === "Enter") sit(); event.stopPropagation(); });
    part.work.hidden = true;
    part.rest.hidden = false;
    part.rest.replaceChildren(make("div", {class: "empty lab-who"}, make("h3", {}, "Who is labeling?"),
      make("p", {}, "Your name is stored with each vote, so that agreement can be measured." + (own ? "" :
        ` Colleagues label at ${location.origin}.`)), make("p", {class: "lab-who-row"}, name, button("Start labeling", "", sit, {class: "lab-act"}))));
    name.setSelectionRange(name.value.length, name.value.length);
    if (redrawn && [document.body, null].includes(document.activeElement)) name.focus();
  };
  /* A name typed above that the server has not heard of yet: a vote now would go to the former one. */
  const moving = () => {
    const typed = document.querySelector("#label-name input, #label-name textarea")?.value.trim();
    return !state.login && typed != null && typed !== state.annotator;
  };
  const next = () => { const waiting = state.waiting; state.waiting = null; if (waiting) waiting(); };
  const flash = choice => {
    const card = root.querySelector(`.lab-answer[data-side="${choice}"]`) || part.actions;
    card.classList.remove("lab-flash"); void card.offsetWidth; card.classList.add("lab-flash");
  };
  const leaveReveal = () => { if (state.revealed) { state.revealed = false; hooks.blind(); } };
  const finish = () => {
    state.item = null;
    const p = state.progress;
    if (state.coming?.left && !state.coming.error) {
      leaveReveal();
      setTimeout(() => { if (!state.item && !state.revealed) act.open(); }, 2000);
      return say("Generating the next pairs", `${count(state.coming.left)} prompts are still to be answered. This page updates by itself.`);
    }
    if (p?.total && state.owner) return act.results(true);
    leaveReveal();
    if (!p?.total && p?.wanted && p.together) return say("Nothing left for you here", "Other annotators have labeled or reserved these pairs; check again later.");
    if (!p?.total) return say("No pairs in this project yet", state.aside
      ? `No pair was worth labeling; set aside: ${state.aside}.` : "Send some here from Compare.");
    say(p.left ? "Nothing left for you right now" : `All done: ${count(p.done)} labeled`, p.left
      ? "The remaining pairs are reserved for other annotators; those they leave come back. Press u to undo your last vote."
      : "Thank you. Only the project's owner sees whose answers they were. Press u to undo your last vote.");
  };

  const download = async format => {
    const reply = await ask("label_export", {format});
    if (!reply || reply.error) return saved(reply?.error || "no connection; try again", "lost");
    save(reply.name, reply.jsonl);
    saved(`${count(reply.rows)} rows saved as ${reply.name}`, "safe");
  };

  /* ---- keys ----------------------------------------------------------------------------------------- */
  const letters = {b: () => act.vote("both_bad", 0), s: () => act.vote("skip", 0), u: act.undo,
    f: () => act.vote("broken", 0),
    d: act.differences, e: act.edit, n: act.note, h: act.history, g: act.guidelines, "?": act.help};
  const escape = () => {
    if (!part.side.hidden) {
      if (part.side.dataset.what === "guidelines") part.guide.focus();
      aside(null);
    } else if (state.revising) { state.item = null; act.open(); }
    else if ((state.revealed || part.work.hidden) && state.item) act.back();
  };
  const onKey = event => {
    if (!root.isConnected) return document.removeEventListener("keydown", onKey);
    if (root.offsetParent === null || event.repeat || event.isComposing) return;
    if (event.key === "Escape" && (root.contains(event.target) || !typing(event.target))) return escape();
    if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    const digit = /^(?:Digit|Numpad)([012])$/.exec(event.code)?.[1];
    const side = {q: "left", w: "right"}[event.key.toLowerCase()];
    const run = digit === "0" ? () => act.vote("tie", 0)
      : digit ? () => act.vote(digit === "1" ? "left" : "right", event.shiftKey ? 4 : 2)
      : side ? () => act.vote(side, event.shiftKey ? 3 : 1)
      : letters[event.key.toLowerCase()];
    if (!run || (state.revealed && (digit || side))) return;
    event.preventDefault();
    run();
  };

  const part = frame(root, act);
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) state.hidden = performance.now();
    else if (state.hidden) state.away += performance.now() - state.hidden;
  });
  window.addEventListener("beforeunload", event => { if (state.flying && root.isConnected) event.preventDefault(); });
  hooks.watch(() => act.open());
  act.open();
};
