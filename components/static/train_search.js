/* Train: find a parameter. Folds mount their widgets when they are opened, so those that hold a match are opened first. */
(() => {
  const folds = () => document.querySelectorAll("#train-more, #train-more .fold.inner");
  const button = fold => fold.querySelector(":scope > .label-wrap");
  const open = fold => button(fold)?.classList.contains("open");
  const opened = new Set();  // by the search: they are closed with it
  let watch = null;

  const turn = (fold, wanted) => { if (fold && open(fold) !== wanted) button(fold)?.click(); };
  const end = box => {
    watch?.disconnect();
    watch = null;
    document.querySelector("#train-more")?.classList.remove("finding");
    for (const each of document.querySelectorAll("#train-more .found-not")) each.classList.remove("found-not");
    for (const fold of [...opened].reverse()) turn(fold, false);
    opened.clear();
    box.querySelector(".found").replaceChildren();
  };
  const links = (says, rows) => {
    const parts = [document.createTextNode(says)];
    rows.forEach((row, at) => {
      const to = Object.assign(document.createElement("button"), {type: "button", className: "link", textContent: row.label});
      to.dataset.to = row.id;
      parts.push(document.createTextNode(at ? ", " : " "), to);
    });
    return parts;
  };
  const say = (box, hits) => {
    const more = document.querySelector("#train-more");
    const at = row => document.getElementById(row.id);
    const here = hits.filter(row => at(row) && more.contains(at(row)));
    const above = hits.filter(row => at(row)?.offsetParent && !more.contains(at(row)));
    const other = hits.filter(row => !at(row));
    const line = [];
    if (!hits.length) line.push("No parameter matches.");
    if (here.length) line.push(`${here.length} below. `);
    if (above.length) line.push(...links("Above:", above), ". ");
    if (other.length) line.push(`Not for this objective and method: ${other.slice(0, 5).map(row => row.label).join(", ")}` +
      (other.length > 5 ? ` and ${other.length - 5} more.` : "."));
    box.querySelector(".found").replaceChildren(...line);
  };
  const find = box => {
    const words = box.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return end(box);
    const rows = JSON.parse(box.dataset.index);
    const hits = rows.filter(row => words.every(word => row.words.includes(word)));
    const ids = new Set(hits.map(row => row.id)), groups = new Set(hits.map(row => row.fold).filter(Boolean));
    const more = document.querySelector("#train-more");
    more.classList.add("finding");
    const sift = () => {
      for (const fold of folds()) {
        const wanted = fold === more || groups.has(fold.id.replace("train-group-", ""));
        if (wanted && !open(fold)) { opened.add(fold); turn(fold, true); }
        if (fold !== more) fold.classList.toggle("found-not", !wanted);
      }
      for (const each of more.querySelectorAll(".parameter")) each.classList.toggle("found-not", !ids.has(each.id));
      for (const fold of more.querySelectorAll(".fold.inner:not(.found-not)")) {  // none of its matches applies
        const inside = [...fold.querySelectorAll(".parameter")];
        if (inside.length) fold.classList.toggle("found-not", inside.every(each => each.classList.contains("found-not")));
      }
      say(box, hits);
    };
    watch?.disconnect();
    watch = new MutationObserver(changes => { if (changes.some(each => each.addedNodes.length)) sift(); });
    watch.observe(more, {childList: true, subtree: true});
    sift();
    // The foot of the form covers what is below: the box goes up so that what was found is seen.
    if (box.getBoundingClientRect().top > innerHeight / 3) box.scrollIntoView({block: "start"});
  };
  document.addEventListener("input", event => {
    const box = event.target.closest?.(".find-parameter");
    if (!box) return;
    clearTimeout(box.studioSoon);
    box.studioSoon = setTimeout(() => find(box), 120);
  });
  document.addEventListener("keydown", event => {
    const box = event.target.closest?.(".find-parameter");
    if (!box || !["Escape", "Enter", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Escape") { event.target.value = ""; end(box); return; }
    find(box);
    const first = document.querySelector("#train-more .parameter:not(.found-not) :is(input, textarea)");
    first?.focus();
  });
  document.addEventListener("click", event => {
    const to = event.target.closest?.(".find-parameter [data-to]");
    if (to) document.getElementById(to.dataset.to)?.querySelector("input, textarea")?.focus();
  });
})();
