/* The keyboard, on every tab: fields let go on Enter and Escape, lists close when left, arrows move between tabs. */
(() => {
  const oneLine = node => node?.tagName === "INPUT" || (node?.tagName === "TEXTAREA" && node.rows === 1 && node.id !== "chat-prompt");
  document.addEventListener("keydown", event => {
    // Gradio's lists take any key for a reason to open, after Tab has left them.
    if (event.key === "Tab" && event.target.getAttribute?.("role") === "combobox") return event.stopPropagation();
    const node = event.target, tab = node.closest?.("[role=tab]");
    const move = {ArrowLeft: -1, ArrowRight: 1, Home: -99, End: 99}[event.key];
    if (tab && move && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")]
        .filter(one => one.offsetParent && one.getAttribute("aria-disabled") !== "true");
      const at = tabs.indexOf(tab) + move;
      const next = tabs[Math.abs(move) > 1 ? (move < 0 ? 0 : tabs.length - 1) : (at + tabs.length) % tabs.length];
      event.preventDefault();
      event.stopPropagation();
      next.focus();
      next.click();
      return;
    }
    if (event.key === "Escape" && node.matches?.("input, textarea") && node.getAttribute("aria-expanded") !== "true") node.blur();
    // After Gradio's own handlers: Enter in a short field is done with it, so that letters are keys again.
    if (event.key === "Enter" && oneLine(node) && node.closest("#label-name, #row-search, #run-name")) setTimeout(() => node.blur());
  }, true);
  // Gradio's upload area has a name that is not what it says, and its icon one that is not translated.
  setInterval(() => {
    for (const area of document.querySelectorAll(".upload-container[aria-label^='Click to upload']")) {
      const said = area.innerText.replace(/\s+/g, " ").trim();
      if (said) area.setAttribute("aria-label", said);
    }
    for (const name of ["title", "aria-label"]) {
      for (const one of document.querySelectorAll(`[${name}="common.upload"]`)) one.setAttribute(name, "Upload");
    }
  }, 1000);
})();
