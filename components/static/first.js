/* Runs in the document before Gradio does (components/page/document.py). Read in Gradio 6.31. */
(() => {
  /* Gradio's configuration would be wrapped in proxies that watch every value, which costs seconds on a page of this
     size, and none of it ever changes. Svelte leaves alone what is neither a plain object nor a plain array. */
  class Plain extends Array { static get [Symbol.species]() { return Array; } }
  let config;
  Object.defineProperty(window, "gradio_config", {configurable: true, get: () => config, set: given => {
    for (const name of ["components", "dependencies"]) {
      if (Array.isArray(given?.[name])) Object.setPrototypeOf(given[name], Plain.prototype);
    }
    config = given;
  }});
  /* A status tracker that is taken away while it waits counts its seconds for ever, sixty times each: the one that is
     shown while the page loads always is. Four times are enough for those that are seen. */
  const CLOCK = /performance\.now\(\)-\w+\(\w+\)\)\/1e3/;
  const frame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = draw =>
    CLOCK.test(draw) ? setTimeout(() => draw(performance.now()), 250) : frame(draw);
})();
