// On a narrow page a long formula within a line would run out of its paragraph, out of sight.
// Such a formula may break between its terms; all others stay whole.
(function () {
  "use strict";

  const WAIT = 150; // milliseconds after the last change of the window's width
  let width = 0;
  let waiting = 0;

  function room(formula) {
    const block = formula.closest("p, li, dd, td, th, figcaption, summary, div");
    return block.getBoundingClientRect().right;
  }

  function fit() {
    if (width === innerWidth) return;
    width = innerWidth;
    const formulas = [...document.querySelectorAll("main mjx-container:not([display])")];
    for (const formula of formulas) formula.classList.remove("fl-breaks");
    // read all before the first change, or each would be laid out anew
    const wide = formulas.filter((one) => one.getBoundingClientRect().right > room(one) + 1);
    for (const formula of wide) formula.classList.add("fl-breaks");
  }

  addEventListener("load", async () => {
    if (!window.MathJax || !MathJax.startup) return;
    await MathJax.startup.promise;
    fit();
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(fit, WAIT);
    });
  });
})();
