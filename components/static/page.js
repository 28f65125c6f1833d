/* The whole page: what no single tab owns. */
window.studioDownload = (id) => {
  // The button's link is renewed by the server; give the page a moment to take it over.
  setTimeout(() => {
    const node = document.getElementById(id);
    const link = node && (node.closest("a[href]") || node.querySelector("a[href]") || node);
    if (link) link.click();
  }, 400);
};
window.studioReveal = (id) => {
  // On a phone results stand below the choices: bring them into view when they are new.
  const node = document.getElementById(id);
  if (!node) return;
  const top = node.getBoundingClientRect().top;
  if (top < 48 || top > window.innerHeight * 0.7) {
    window.scrollTo({ top: window.scrollY + top - 64, behavior: "smooth" });
  }
};
