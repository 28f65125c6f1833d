/* Train and Compare: the help of the parameter under the pointer or in focus is shown on one line below. */
(() => {
  const tell = (event) => {
    const parameter = event.target.closest && event.target.closest(".simple .parameter, .everyday .parameter");
    if (!parameter) return;
    const info = parameter.querySelector(".info-text");
    const line = parameter.closest(".everyday, .simple").querySelector(".parameter-help");
    if (info && line && line.textContent !== info.textContent) line.textContent = info.textContent;
  };
  document.addEventListener("focusin", tell);
  document.addEventListener("pointerover", tell);
})();
/* Train: download a text as a file; show an error beside the parameter it names. */
window.studioSave = (text) => {
  const name = (/^name: *(.+)$/m.exec(text)?.[1] || "").replace(/[^\w.-]+/g, "-").replace(/^-+|-+$/g, "");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "text/yaml"}));
  link.download = `${name || "recipe"}.yaml`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
window.studioBeside = (element, watch) => watch(() => {
  const trouble = element.querySelector("[data-field]");
  const field = trouble?.dataset.field, text = trouble?.textContent || "";
  const parameter = field && (document.querySelector(`#parameter-${field}`) || document.querySelector(`#train-${field.split("-")[0]}`));
  const old = document.querySelector(".parameter-error");
  document.querySelector(".parameter-wrong")?.classList.remove("parameter-wrong");
  old?.remove();
  if (!parameter) return;
  parameter.classList.add("parameter-wrong");
  const line = document.createElement("p");
  line.className = "parameter-error";
  line.textContent = text;
  parameter.append(line);
  // Said at the field as well as beside the button: the form is longer than the window.
});
(() => {
  document.addEventListener("keydown", (event) => {
    // Ctrl+Enter anywhere in the form presses its one button.
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest?.("#train-form")) {
      document.querySelector("#train-start")?.click();
    }
  });
})();
/* Train: clicks, checkboxes and arrow keys in the queue and the list of runs. */
window.studioPick = (element, trigger) => {
  element.addEventListener('click', event => {
    const button = event.target.closest('[data-run]');
    if (button) trigger('click', {run: button.dataset.run, act: button.dataset.act || 'view'});
  });
  element.addEventListener('change', event => {
    if (event.target.dataset.overlay) trigger('click', {run: event.target.dataset.overlay, act: 'overlay'});
  });
  element.addEventListener('keydown', event => {
    const move = {ArrowUp: -1, ArrowDown: 1}[event.key];
    if (!move || !event.target.matches('.run-row')) return;
    const rows = [...element.querySelectorAll('.run-row')];
    const next = rows[rows.indexOf(event.target) + move];
    if (next) { event.preventDefault(); next.focus(); }
  });
};
/* Train: the objectives beyond the usual four. */
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-more]");
  if (!button) return;
  const open = document.getElementById(button.dataset.more)?.classList.toggle("all") ?? false;
  button.setAttribute("aria-expanded", String(open));
  button.textContent = open ? "Fewer objectives" : "More objectives";
});
/* Train: an estimate is grey from a change in the form until the next one has come. */
(() => {
  const fresh = (line) => line.classList.remove("stale");
  document.addEventListener("input", (event) => {
    if (!event.target.closest?.("#train-form .parameter")) return;
    const line = document.querySelector("#train-line");
    if (!line) return;
    if (!line.studioWatched) {
      line.studioWatched = new MutationObserver(() => fresh(line));
      line.studioWatched.observe(line, {childList: true, subtree: true, characterData: true});
    }
    line.classList.add("stale");
    clearTimeout(line.studioLate);
    line.studioLate = setTimeout(() => fresh(line), 6000);  // the same estimate as before changes nothing
  });
})();
