/* Models: the library's panel. Cards arrive as markup, those that fit the search and the filter; folding happens here. */
window.studioModels = (root, server, lead) => {
  const desk = root.querySelector(".models-desk");
  desk.innerHTML = `
    <aside class="models-left">
      <input type="search" class="models-find" placeholder="Search name, tag, note or dataset" aria-label="Search models">
      <div class="models-kinds" role="group" aria-label="Show"></div>
      <div class="models-fetch"></div>
      <div class="models-disk"></div>
    </aside>
    <section class="models-right" aria-label="Library">
      <div class="models-said" aria-live="polite"></div>
      <div class="models-jobs"></div>
      <div class="models-cards"><p class="quiet">Loading the library</p></div>
    </section>`;
  const part = name => desk.querySelector(`.models-${name}`);
  const names = {all: "All", run: "Runs", checkpoint: "Checkpoints", export: "Exports", base: "Base models", star: "Starred"};
  const PAGE = 60;  // components/models/library_page.py
  let kind = "all", counts = {}, timer = null, stale = false, most = PAGE, visit = "", turn = 0;

  const say = (text, button) => {
    part("said").replaceChildren();
    if (!text) return;
    const line = document.createElement("div");
    line.className = "job";
    line.append(text);
    if (button) line.append(button);
    part("said").append(line);
  };
  const ask = async (name, question = {}) => {
    const reply = await server[name](question);
    if (reply?.error) { say(reply.error); return null; }
    return reply || {};
  };
  const kinds = () => {
    part("kinds").replaceChildren(...Object.entries(names).map(([name, label]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.show = name;
      button.setAttribute("aria-pressed", name === kind);
      button.innerHTML = `${label} <b>${counts[name] ?? ""}</b>`;
      return button;
    }));
  };
  /* Replace the cards; what is open stays open, with what was typed into it. */
  const deal = markup => {
    const unfolded = [...part("cards").querySelectorAll(".fold-body:not([hidden])")]
      .map(body => [body.closest(".card-model").dataset.id, body]);
    const held = document.activeElement;
    part("cards").innerHTML = markup;
    for (const [id, body] of unfolded) {
      const name = body.dataset.body;
      const fresh = part("cards").querySelector(`[data-id="${CSS.escape(id)}"] [data-body=${name}]`);
      if (!fresh) continue;
      fresh.closest(".card-model").querySelector(`[data-fold=${name}]`).setAttribute("aria-expanded", true);
      fresh.replaceWith(body);
      if (body.contains(held)) held.focus();
    }
  };
  const draw = reply => {
    if (!reply) return;
    if ("cards" in reply) {
      counts = reply.counts;
      deal(reply.cards);
      if ("disk" in reply) part("disk").innerHTML = reply.disk;
      if ("fetch" in reply && !part("fetch").querySelector(".fold-body:not([hidden])")) part("fetch").innerHTML = reply.fetch;
      kinds();
    }
    if (part("jobs").innerHTML !== reply.jobs) part("jobs").innerHTML = reply.jobs;
    clearTimeout(timer);
    if (reply.busy) timer = setTimeout(async () => {
      const later = await ask("models_jobs");
      stale = later && !later.busy;
      if (stale && !writing()) await open(); else draw(later);
    }, 500);
  };
  const wanted = () => ({find: part("find").value.slice(0, 200), kind, most, visit});
  const open = async (more = {}) => {
    stale = false;
    const asked = turn += 1, reply = await ask("models_open", {...wanted(), ...more});
    if (asked === turn) draw(reply);  // else the search went on meanwhile
  };
  const brief = () => ({brief: part("disk").childElementCount > 0});  // counting what is on disk takes longer
  const sift = () => { most = PAGE; return open(brief()); };
  /* The order is settled for a visit: nothing moves under the pointer until the tab is opened anew. */
  const visiting = () => { visit = crypto.getRandomValues(new Uint32Array(3)).join("-"); return open(); };
  const writing = () => desk.querySelector(".fold-body:not([hidden])");  // redrawing would close it
  const seen = () => desk.isConnected && desk.offsetParent !== null;

  const reveal = async (card, body) => {
    await opened[body.dataset.body]?.(card, body);
    body.scrollIntoView({block: "nearest", behavior: "smooth"});
  };
  const fold = (name, card) => {
    for (const body of card.querySelectorAll(".fold-body")) {
      body.hidden = body.dataset.body !== name || !body.hidden;
      card.querySelector(`[data-fold=${body.dataset.body}]`).setAttribute("aria-expanded", !body.hidden);
      if (!body.hidden) reveal(card, body);
    }
    if (stale && !writing()) open();
  };
  // Background work: its form closes, its progress bar appears above the cards.
  const begin = async (name, question, button) => {
    if (!await ask(name, question)) return;
    fold(button.closest(".fold-body").dataset.body, button.closest(".card-model, .models-fetch"));
    draw(await ask("models_jobs"));
    part("jobs").scrollIntoView({block: "nearest", behavior: "smooth"});
  };
  const opened = {
    files: async (card, body) => {
      const reply = await ask("models_card", {id: card.dataset.id});
      if (reply) body.querySelector(".readme").innerHTML = reply.card;
    },
    push: async (card, body) => {
      if (body.querySelector("[name=repo]")) return;  // loaded already, and perhaps filled in
      const reply = await ask("models_preview", {id: card.dataset.id});
      if (reply) body.innerHTML = reply.files;
    },
  };
  const acts = {
    star: async (card, button) => {
      const on = card.dataset.star !== "true";
      if (await ask("models_mark", {id: card.dataset.id, star: on})) await open();
    },
    note: async card => {
      const tags = card.querySelector("[name=tags]").value, note = card.querySelector("[name=note]").value;
      if (!await ask("models_mark", {id: card.dataset.id, tags, note})) return;
      fold("note", card);
      await open();
    },
    export: (card, button) => begin("models_export",
      {id: card.dataset.id, to: button.dataset.to, outtype: button.dataset.outtype,
       importance_matrix: !!card.querySelector("[name=importance_matrix]:checked")}, button),
    push: (card, button) => begin("models_push",
      {id: card.dataset.id, repo: card.querySelector("[name=repo]").value,
       public: card.querySelector("[name=public]").checked}, button),
    pull: (card, button) => begin("models_pull",
      {repo: part("fetch").querySelector("[name=pull]").value,
       revision: part("fetch").querySelector("[name=revision]").value}, button),
    search: async (card, button) => {
      const typed = name => part("fetch").querySelector(`[name=${name}]`).value;
      const list = part("fetch").querySelector(".hub-found");
      button.disabled = true;
      list.innerHTML = '<li class="quiet">Searching</li>';
      const reply = await server.models_search({words: typed("words"), largest: Number(typed("largest")) || null});
      button.disabled = false;
      list.innerHTML = reply?.found ?? "";
      if (!reply?.found) list.append(Object.assign(document.createElement("li"), {className: "trouble", textContent: reply?.error ?? ""}));
    },
    choose: (card, button) => {
      const name = part("fetch").querySelector("[name=pull]");
      name.value = button.dataset.name;
      name.scrollIntoView({block: "nearest"});
      part("fetch").querySelector("[data-act=pull]").focus();
    },
    cancel: async (card, button) => draw(await ask("models_cancel", {job: button.dataset.job})),
    delete: async card => {
      const id = card.dataset.id, reply = await ask("models_delete", {id});
      if (!reply) return;
      const button = document.createElement("button");
      Object.assign(button, {type: "button", className: "act", textContent: "Undo"});
      button.onclick = async () => {
        if (await ask("models_delete", {id, undo: true})) { say(""); await open(); }
      };
      say(`Deleted ${reply.deleted}. `, button);
      await open();
    },
    clean: async () => {
      const reply = await ask("models_clean");
      if (reply) { say(`Freed ${reply.freed}.`); await open(); }
    },
    copy: async (card, button) => {
      await navigator.clipboard.writeText(button.dataset.text);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    },
    more: () => { most += PAGE; return open(brief()); },
    train: (card, {dataset}) => lead({do: "train", model: dataset.model, revision: dataset.revision}),
    compare: card => lead({do: "compare", run: card.dataset.id}),
    continue: card => lead({do: "continue", run: card.dataset.id}),
  };
  desk.addEventListener("click", event => {
    const show = event.target.closest("[data-show]");
    if (show) { kind = show.dataset.show; kinds(); sift(); return; }
    const button = event.target.closest("[data-act]");
    if (button) { event.stopPropagation(); acts[button.dataset.act]?.(button.closest(".card-model"), button); return; }
    const opener = event.target.closest("[data-fold]");
    if (opener) fold(opener.dataset.fold, opener.closest(".card-model, .disk, .models-fetch"));
  });
  let typed = null;
  desk.addEventListener("input", event => {
    if (event.target !== part("find")) return;
    clearTimeout(typed);
    typed = setTimeout(sift, 150);
  });
  desk.addEventListener("keydown", event => {
    if (event.key === "Enter" && event.target.matches("[name=words], [name=largest]")) part("fetch").querySelector("[data-act=search]").click();
    if (event.key === "Escape" && event.target === part("find")) { part("find").value = ""; sift(); }
  });
  // A tab that is opened reloads, unless something is being edited in it.
  window.studioModelsRefresh = () => setTimeout(() => { if (seen() && !writing()) visiting(); }, 50);
  kinds();
  visiting();
};
