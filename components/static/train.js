/* Train and Compare: the help of whichever knob has the pointer or the focus is shown on one line below them. */
(() => {
  const tell = (event) => {
    const knob = event.target.closest && event.target.closest(".simple .knob, .everyday .knob");
    if (!knob) return;
    const info = knob.querySelector(".info-text");
    const line = knob.closest(".everyday, .simple").querySelector(".knob-help");
    if (info && line && line.textContent !== info.textContent) line.textContent = info.textContent;
  };
  document.addEventListener("focusin", tell);
  document.addEventListener("pointerover", tell);
})();
