/* The page's address names the tab, and the run or the dataset in view, so that a refresh and a link come back to it.
   The server reads the run and the dataset (`?run=`, `?dataset=`); the tab is opened here. */
(() => {
  const bar = () => document.querySelector("#tabs > .tab-wrapper");
  const tab = id => bar()?.querySelector(`[role=tab][data-tab-id="${CSS.escape(id)}"]`);
  const wanted = new URLSearchParams(location.search).get("tab");
  let opened = !wanted;
  const shown = {
    train: ["run", () => document.querySelector("#run-panel .stage")?.dataset.run],
    data: ["dataset", () => document.querySelector("#data-headline [data-dataset]")?.dataset.dataset],
  };
  const write = () => {
    const now = bar()?.querySelector('[role=tab][aria-selected="true"]')?.dataset.tabId;
    if (!now) return;
    const place = new URL(location.href);
    place.searchParams.set("tab", now);
    for (const [id, [name, read]] of Object.entries(shown)) {
      const value = id === now ? read() : "";
      if (value) place.searchParams.set(name, value);
      else if (id !== now) place.searchParams.delete(name);
    }
    if (place.href !== location.href) history.replaceState(history.state, "", place);
  };
  setInterval(() => {
    if (document.hidden) return;
    if (opened) return write();
    const target = tab(wanted);
    if (!target && !bar()?.querySelector("[role=tab]")) return;
    opened = true;
    target?.click();
  }, 250);
})();
