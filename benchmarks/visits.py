"""What one visit to a page costs in Chromium: measured in the page and in its renderer process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WATCH = """
window.seen = {tasks: [], shift: 0};
new PerformanceObserver(list => {
  for (const one of list.getEntries()) seen.tasks.push([one.startTime, one.duration]);
}).observe({type: "longtask", buffered: true});
new PerformanceObserver(list => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) seen.shift += one.value;
}).observe({type: "layout-shift", buffered: true});
"""
USABLE = """() => {
  const second = document.querySelectorAll('[role=tab]')[1];
  if (!second) return false;
  if (second.getAttribute('aria-selected') === 'true') return performance.now();
  second.click();
  return false;
}"""
OPEN = """at => new Promise((done, late) => {
  const began = performance.now();
  const shown = () => [...document.querySelectorAll('[role=tabpanel]')].find(
    panel => panel.offsetHeight > 40 && !panel.parentElement.closest('[role=tabpanel]'));
  const before = shown();
  document.querySelector('[role=tablist]').querySelectorAll('[role=tab]')[at].click();
  const look = () => {
    if (performance.now() - began > 20000) return late(new Error(`tab ${at} did not open`));
    const now = shown();
    if (!now || now === before) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  };
  requestAnimationFrame(look);
})"""
COUNT = "document.querySelector('[role=tablist]').querySelectorAll('[role=tab]').length"
SETTLED = 4_000  # ms after the last tab was opened: what still loads has loaded
GONE = 22_000  # ms without a key or a click: somebody has left the page open
IDLE = 8_000  # ms


def visit(browser: Browser, url: str) -> dict[str, Any]:
    """One first visit, as a fresh person with an empty cache.

    Seconds of `usable` (a click on a tab is answered), `blocked` (beyond 50 ms of each long task)
    and `cpu` (of the renderer) until the page is quiet; `idle`, the share of a core it takes then;
    `kB` as sent of the `document` and of everything; `shift`, the layout's while it loads; `cold`
    and `warm`, the slowest tab on its first and its second opening.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    line = browser.new_browser_cdp_session()
    sent: dict[str, int] = {"document": 0, "all": 0}
    _count_bytes(page, sent)
    page.add_init_script(WATCH)
    page.goto(url)
    usable = page.wait_for_function(USABLE, polling=20, timeout=60_000).json_value()
    page.wait_for_timeout(SETTLED)
    page.evaluate("at => document.querySelectorAll('[role=tab]')[at].click()", 0)
    page.wait_for_timeout(1_000)
    blocked = page.evaluate("seen.tasks.reduce((sum, [, took]) => sum + took - 50, 0)")
    cpu, loaded, shift = _cpu(line), dict(sent), page.evaluate("seen.shift")
    page.wait_for_timeout(GONE)
    before = _cpu(line)
    page.wait_for_timeout(IDLE)
    idle = (_cpu(line) - before) / (IDLE / 1000)
    tabs = page.evaluate(COUNT)
    opened: dict[str, float] = {}
    for time in ("cold", "warm"):
        took = []
        for at in [*range(1, tabs), 0]:
            took.append(page.evaluate(OPEN, at))
            page.wait_for_timeout(1_500)
        opened[time] = max(took) / 1000
    context.close()
    return {
        "usable": usable / 1000, "blocked": blocked / 1000, "cpu": cpu, "idle": idle,
        "document kB": loaded["document"] / 1000, "all kB": loaded["all"] / 1000,
        "shift": shift, **opened,
    }  # fmt: skip


def _count_bytes(page: Page, sent: dict[str, int]) -> None:
    line = page.context.new_cdp_session(page)
    kinds: dict[str, str] = {}

    def begun(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event.get("type", "")

    def ended(event: dict[str, Any]) -> None:
        size = int(event["encodedDataLength"])
        sent["all"] += size
        if kinds.get(event["requestId"]) == "Document":
            sent["document"] += size

    line.on("Network.requestWillBeSent", begun)
    line.on("Network.loadingFinished", ended)
    line.send("Network.enable")


def _cpu(line: Any) -> float:
    """Seconds of processor time that Chromium's renderers have taken."""
    processes = line.send("SystemInfo.getProcessInfo")["processInfo"]
    return sum(each["cpuTime"] for each in processes if each["type"] == "renderer")
