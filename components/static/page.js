/* What several tabs use. */
window.studioDownload = (id) => {
  // The server renews the button's link; give the page a moment to apply it.
  setTimeout(() => {
    const node = document.getElementById(id);
    const link = node && (node.closest("a[href]") || node.querySelector("a[href]") || node);
    if (link) link.click();
  }, 400);
};
window.studioReveal = (id) => {
  // On a phone results are below the form: scroll to them when they are new.
  const node = document.getElementById(id);
  if (!node) return;
  const top = node.getBoundingClientRect().top;
  if (top < 48 || top > window.innerHeight * 0.7) {
    window.scrollTo({ top: window.scrollY + top - 64, behavior: "smooth" });
  }
};
// The landing's second button opens the choice of files below it.
document.addEventListener("click", (event) => {
  if (event.target.closest?.(".bring-data")) document.querySelector("#data-files .upload-container")?.click();
});
