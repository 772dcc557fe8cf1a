// Keeps the end of a chat in sight while an answer grows, unless the reader has scrolled away.
(() => {
  const near = 80;
  let stuck = true, shown = false, top = 0;
  const body = () => document.querySelector(".talk-body");
  const down = () => {
    const wanted = new URLSearchParams(location.search).get("turn"); // what a search has found comes into sight
    const turn = wanted && !shown && document.querySelector(`[data-turn="${CSS.escape(wanted)}"]`);
    if (turn) {
      shown = true;
      stuck = false;
      turn.classList.add("found");
      turn.scrollIntoView({ block: "center" });
      return;
    }
    const b = body();
    if (b && stuck) b.scrollTop = b.scrollHeight;
  };
  const watch = new ResizeObserver(down);
  const begin = () => {
    const b = body(), column = document.querySelector(".talk-column");
    if (!b || !column) return setTimeout(begin, 50);
    b.addEventListener("scroll", () => { // what grows meanwhile is not the reader scrolling away: that goes up
      if (b.scrollHeight - b.scrollTop - b.clientHeight < near) stuck = true;
      else if (b.scrollTop < top) stuck = false;
      top = b.scrollTop;
    }, { passive: true });
    // what is read stays where it is when earlier messages come in above it: browsers see to that unless all is scrolled up
    b.addEventListener("click", (event) => { if (event.target.closest(".earlier") && !b.scrollTop) b.scrollTop = 1; }, true);
    watch.observe(column);
    down();
  };
  begin();
  window.openedChat = (id) => { // a new chat has got its address; and whoever asks wants to see the answer
    if (!location.pathname.endsWith(id)) {
      window.chapetaComposer?.forgetDraft();
      history.replaceState(null, "", `/chat/${id}`);
    }
    window.chapetaComposer?.keep();
    document.querySelectorAll(".nav.here").forEach((link) => { link.classList.remove("here"); link.removeAttribute("aria-current"); });
    stuck = true;
    down();
  };
})();
