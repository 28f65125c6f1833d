/* Data: arrow keys page through rows while no field has the focus. */
(() => {
  const typing = (node) =>
    node && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) ||
      node.getAttribute("role") === "slider" || node.getAttribute("role") === "tab");
  const visible = (node) => node && node.offsetParent !== null;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const id = { ArrowLeft: "row-previous", ArrowRight: "row-next" }[event.key];
    const button = id && document.getElementById(id);
    if (!visible(button) || typing(document.activeElement)) return;
    event.preventDefault();
    if (!button.disabled) button.click();
  });
})();
