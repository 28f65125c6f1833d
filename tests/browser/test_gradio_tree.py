"""What stands before Gradio's core script finds what Gradio's own walk would find."""

from __future__ import annotations

from playwright.sync_api import Browser

from components.ui.theme import STATIC

COMPARED = """() => {
  const find = (node, id) => {
    if (node.id === id) return node;
    for (const child of node.children ?? []) { const found = find(child, id); if (found) return found; }
    return null;
  };
  const events = (id, all) => all.filter(one => one.targets.find(([target]) => target === id))
    .map(one => one.targets.find(([target]) => target === id)[1]).filter(Boolean);
  const leaf = id => ({id, children: []});
  const root = {id: 0, children: [{id: 1, children: [leaf(2), leaf(3)]}, {id: 4}, {id: 5, children: [leaf(6)]}]};
  const all = [{targets: [[2, "click"], [2, "input"], [3, "change"]]}, {targets: [[2, "select"], [6, null]]},
               {targets: [[null, "then"]]}];
  const wrong = [];
  const check = (state, ids) => {
    for (const id of ids) if (studioFind(root, id) !== find(root, id)) wrong.push([state, id]);
  };
  const ids = [0, 1, 2, 3, 4, 5, 6, 7, 8, null, undefined];
  check("as built", ids);
  check("again", ids.toReversed());
  root.children[0].children = [leaf(7), leaf(3)];  // a part drawn anew
  check("drawn anew", ids);
  root.children = [root.children[2], {...root.children[0]}];  // moved, and copied
  check("moved", ids);
  root.children = [];
  check("gone", ids);
  for (const id of ids) {
    if (JSON.stringify(studioEvents(id, all)) !== JSON.stringify(events(id, all))) wrong.push(["events", id]);
  }
  studioEvents(2, all).push("mine");
  if (studioEvents(2, all).length !== 2) wrong.push(["a list is shared", 2]);
  return wrong;
}"""  # noqa: E501


def test_components_and_events_are_found_as_gradio_finds_them(browser: Browser) -> None:
    page = browser.new_page()
    page.add_script_tag(path=STATIC / "gradio_tree.js")
    assert page.evaluate(COMPARED) == []
    page.close()
