/* Goes before Gradio's core script (components/page/gradio_scripts.py): where a component stands in the tree, and which
   events it has, kept between look-ups. Read in Gradio 6.31. */
const studioPaths = new Map(), studioEventLists = new WeakMap();
const studioAt = (root, path) => path && path.reduce((node, at) => node?.children?.[at], root);
/* The component of an id, or null. A path that leads elsewhere by now is looked for again, with all the others. */
function studioFind(root, id) {
  if (typeof id !== "number") return null;
  const known = studioAt(root, studioPaths.get(id));
  if (known?.id === id) return known;
  studioPaths.clear();
  let found = null;
  const walk = (node, path) => {
    const own = node.id;
    studioPaths.set(own, path);
    if (own === id) found ??= node;
    node.children?.forEach((child, at) => walk(child, [...path, at]));
  };
  walk(root, []);
  return found;
}
/* The names of a component's events, one for each of the events that it triggers. */
function studioEvents(id, events) {
  let lists = studioEventLists.get(events);
  if (!lists) {
    lists = new Map();
    for (const event of events) {
      const own = new Map([...event.targets].reverse());  // the first of several names of one component
      for (const [target, name] of own) if (name) lists.set(target, [...(lists.get(target) ?? []), name]);
    }
    studioEventLists.set(events, lists);
  }
  return [...(lists.get(id) ?? [])];
}
/* Whether an update is of an event's progress alone: a component's values need not be read again for it. */
function studioIsStatus(update) {
  for (const name in update) if (name !== "loading_status") return false;
  return true;
}
