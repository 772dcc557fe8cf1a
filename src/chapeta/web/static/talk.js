// Keeps the end of a chat in sight while an answer grows, unless the reader has scrolled away; Enter sends, Shift+Enter does not.
(() => {
  const near = 80;
  let stuck = true;
  const body = () => document.querySelector(".talk-body");
  const down = () => { const b = body(); if (b && stuck) b.scrollTop = b.scrollHeight; };
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
    if (!location.pathname.endsWith(id)) history.replaceState(null, "", `/chat/${id}`);
    document.querySelectorAll(".nav.here").forEach((link) => { link.classList.remove("here"); link.removeAttribute("aria-current"); });
    stuck = true;
    down();
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target.closest(".composer textarea")) {
      event.preventDefault(); // the page sends
    }
    if (event.key === "/" && !event.target.closest("input, textarea, [contenteditable]")) {
      const box = document.querySelector(".composer textarea");
      if (box) { event.preventDefault(); box.focus(); }
    }
  }, true);
})();
