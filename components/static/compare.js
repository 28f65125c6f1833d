/* Compare: arrow keys page through a prompt set while no field has the focus; answers can be copied. */
(() => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    navigator.clipboard.writeText(button.dataset.copy).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    }, () => { button.textContent = "Copying is blocked"; });
  });
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
