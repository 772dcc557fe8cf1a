// Keeps the end of a chat in sight while an answer grows, unless the reader has scrolled away.
(() => {
  const near = 80;
  let stuck = true, shown = false;
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
    b.addEventListener("scroll", () => { stuck = b.scrollHeight - b.scrollTop - b.clientHeight < near; }, { passive: true });
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
