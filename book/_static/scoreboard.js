// Filters of the scoreboard. The table is whole without this file.
(function () {
  "use strict";

  const KEYS = ["paper", "verdict", "tier", "from", "state"];
  const WAIT = 150; // milliseconds after the last key, before the rows and the count change

  function start(board) {
    const form = board.querySelector("form");
    const count = form.querySelector(".fl-count");
    const rows = [...board.querySelectorAll("tbody tr")];
    // before formulas are typeset, which would double their text
    const texts = rows.map((row) => row.textContent.toLowerCase());
    let waiting = 0;

    function fromAddress() {
      const query = new URLSearchParams(location.search);
      for (const key of KEYS) {
        const control = form.elements[key];
        const value = query.get(key) || "";
        const known = [...control.options].some((option) => option.value === value);
        control.value = known ? value : "";
      }
      form.elements.text.value = query.get("text") || "";
    }

    function toAddress() {
      const query = new URLSearchParams(location.search);
      for (const key of [...KEYS, "text"]) {
        const value = form.elements[key].value.trim();
        if (value) query.set(key, value);
        else query.delete(key);
      }
      const text = query.toString();
      history.replaceState(null, "", location.pathname + (text ? "?" + text : "") + location.hash);
    }

    function apply() {
      const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, i) => {
        const keep =
          KEYS.every((key) => {
            const wanted = form.elements[key].value;
            return !wanted || row.dataset[key] === wanted;
          }) && words.every((word) => texts[i].includes(word));
        row.hidden = !keep;
        if (keep) shown += 1;
      });
      count.textContent =
        shown === rows.length
          ? "All " + rows.length + " claims are shown."
          : shown + " of " + rows.length + " claims are shown.";
    }

    function change() {
      clearTimeout(waiting);
      apply();
      toAddress();
    }

    // The claim that the address names is shown, whatever the filters say.
    function toClaim() {
      const row = rows.find((one) => "#" + one.id === location.hash); // ids are plain letters
      if (!row) return;
      if (row.hidden) {
        form.reset();
        change();
      }
      row.querySelector("details").open = true;
      row.scrollIntoView();
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      change();
    });
    form.addEventListener("change", change);
    form.elements.text.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(change, WAIT);
    });
    form.addEventListener("reset", () => setTimeout(change, 0)); // after the controls are reset
    addEventListener("popstate", () => {
      fromAddress();
      apply();
    });
    addEventListener("hashchange", toClaim);

    fromAddress();
    form.hidden = false;
    apply();
    toClaim();
  }

  document.querySelectorAll(".fl-scoreboard").forEach(start);
})();
