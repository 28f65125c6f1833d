/* Data: j and k (or the arrow keys) page through rows, / goes to the search field. */
(() => {
  const typing = (node) =>
    node && (node.isContentEditable ||
      (/^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) && !/^(file|checkbox)$/.test(node.type)) ||
      node.getAttribute("role") === "slider" || node.getAttribute("role") === "tab");
  const visible = (node) => node && node.offsetParent !== null;
  const turns = { ArrowLeft: "row-previous", k: "row-previous", ArrowRight: "row-next", j: "row-next" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const search = document.querySelector("#row-search input, #row-search textarea");
    if (event.key === "Escape" && document.activeElement === search) return search.blur();
    if (typing(document.activeElement)) return;
    if (event.key === "/" && visible(search)) {
      event.preventDefault();
      return search.focus();
    }
    const button = turns[event.key] && document.getElementById(turns[event.key]);
    // The token view shows the same row, so the keys work there too.
    const tokens = document.getElementById("row-tokens");
    if (!button || !(visible(button) || visible(tokens))) return;
    event.preventDefault();
    if (!button.disabled) button.click();
  });
})();
