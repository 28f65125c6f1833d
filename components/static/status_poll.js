/* The status strip: polls the server once a second while the page is visible and somebody is there or a run is at work,
   else every third second, and triggers Gradio's events only when something changed. `studioStatusPoll(element, server, trigger)` is called when it appears. */
window.studioStatusPoll = (element, server, trigger) => {
  const TRAIL = 4;  // ticks after the last change: Gradio drops one whose predecessor is still running
  const drawn = {html: "", lists: null, runs: null, votes: null};
  const AWAKE = 20_000;  // ms after a key, a click or a change
  let left = 0, asking = false, stirred = Date.now(), turn = 0;

  // Votes move the guided tour alone: other pages would be drawn anew for each vote of a whole group.
  const touring = () => Boolean(document.querySelector("#guide")?.checkVisibility());
  const take = reply => {
    if (reply.html !== drawn.html) element.querySelector(".strip").outerHTML = reply.html;
    if (reply.lists !== drawn.lists) trigger("change");
    if (reply.live || ["lists", "runs", "votes"].some(mark => reply[mark] !== drawn[mark])) {
      left = drawn.lists === null ? 1 : TRAIL;  // the page has only just drawn itself
      stirred = Date.now();
    }
    Object.assign(drawn, reply);
    document.body.classList.toggle("visitor", reply.visitor);
    if (left > 0) { left -= 1; trigger("tick"); }
  };
  const ask = async () => {
    if (asking || document.hidden) return;
    asking = true;
    try {
      const reply = await server.status({tour: touring()});
      if (!reply.error) take(reply);
    } catch {
      element.querySelector(".strip").innerHTML = '<span class="quiet">The studio does not respond</span>';
      drawn.html = "";
    } finally { asking = false; }
  };

  element.addEventListener("click", event => {
    const button = event.target.closest("[data-go]");
    if (button) trigger("click", {go: button.dataset.go});
  });
  for (const sign of ["pointerdown", "keydown"]) document.addEventListener(sign, () => { stirred = Date.now(); }, true);
  const timer = setInterval(() => {
    if (!element.isConnected) return clearInterval(timer);
    if (Date.now() - stirred < AWAKE || turn++ % 3 === 0) ask();
  }, 1000);
  document.addEventListener("visibilitychange", ask);
  ask();
};
