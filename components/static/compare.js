/* Compare: arrow keys page through a prompt set while no field has the focus; answers can be copied; a thought that was
   unfolded stays so while its answer is written, although every update brings new markup. */
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    navigator.clipboard.writeText(button.dataset.copy).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    }, () => { button.textContent = "Copying is blocked"; });
  });
  const fill = (field, value) => {
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  document.addEventListener("mousedown", (event) => {
    if (event.target.closest("button[data-why]")) event.preventDefault(); /* keep the selection */
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-why]");
    const box = document.getElementById("why-box");
    if (!button || !box) return;
    const chosen = window.getSelection();
    const mine = chosen.rangeCount && button.closest(".answer").contains(chosen.getRangeAt(0).commonAncestorContainer);
    const words = mine ? chosen.toString().trim() : "";
    const ask = () => {
      const choice = box.querySelector(`#why-which input[value="answer ${button.dataset.why}"]`);
      const field = box.querySelector("#why-words input, #why-words textarea");
      if (!choice || !field) return void setTimeout(ask, 50);
      choice.click();
      fill(field, words);
      box.scrollIntoView({ block: "start", behavior: "smooth" });
      setTimeout(() => document.getElementById("why-ask").click(), 200);
    };
    const head = box.querySelector("button.label-wrap");
    if (head && !head.classList.contains("open")) head.click();
    ask();
  });
  const open = new Set();
  document.addEventListener("toggle", ({ target }) => {
    const key = target.dataset?.fold;
    if (key && target.isConnected) open[target.open ? "add" : "delete"](key);
  }, true);
  new MutationObserver((changes) => {
    if (!open.size || !changes.some((change) => change.addedNodes.length)) return;
    for (const fold of document.querySelectorAll("#chat-view details[data-fold]:not([open])")) {
      if (open.has(fold.dataset.fold)) fold.open = true;
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
  const typing = (node) =>
    node && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) ||
      ["slider", "tab", "option"].includes(node.getAttribute("role")));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const id = { ArrowLeft: "set-previous", ArrowRight: "set-next" }[event.key];
    const button = id && document.getElementById(id);
    if (!button || button.offsetParent === null || typing(document.activeElement)) return;
    event.preventDefault();
    button.click();
  });
})();
