// The command palette (Ctrl+K) and the shortcuts of every page. What there is to go to is asked of the page's process.
(() => {
  const mac = /mac/i.test(navigator.platform);
  const box = () => document.querySelector(".composer textarea");
  const stop = () => document.querySelector('.composer [aria-label="Stop"]');
  const place = () => document.querySelector(".palette-place");
  const tell = (name, detail) => place()?.dispatchEvent(new CustomEvent(name, { detail }));
  const acts = { write: () => box()?.focus(), stop: () => stop()?.click() };
  for (const act of ["look", "shortcuts"]) {
    acts[act] = () => tell("act", { act, dark: document.body.classList.contains("body--dark") });
  }
  const possible = () => Object.keys(acts).filter((act) => (act === "write" ? box() : act === "stop" ? stop() : true));

  // --- the palette
  let dialog, input, list;
  let lines = [];
  let at = 0;
  let asked = 0; // the number of the last question, and of the last answer that was shown
  let answered = 0;
  let chosen = false; // Enter was pressed before the answer was here
  const make = () => {
    dialog = document.createElement("dialog");
    dialog.className = "palette";
    dialog.setAttribute("aria-label", "Command palette");
    dialog.innerHTML = `
      <input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
        aria-label="Go to, or do" placeholder="Go to a page or chat, use a model, do something" autocomplete="off" spellcheck="false">
      <ul id="palette-list" role="listbox" aria-label="What there is"></ul>`;
    document.body.append(dialog);
    input = dialog.querySelector("input");
    list = dialog.querySelector("ul");
    input.addEventListener("input", () => ask(60));
    dialog.addEventListener("keydown", pressed);
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  };
  let waiting;
  const ask = (pause = 0) => {
    chosen = false;
    const question = { number: ++asked, words: input.value, acts: possible() };
    clearTimeout(waiting);
    waiting = setTimeout(() => tell("ask", question), pause);
  };
  const show = (number, found) => {
    if (number !== asked) return; // more was typed meanwhile
    answered = number;
    lines = found;
    at = 0;
    list.replaceChildren(...lines.map(draw));
    if (!lines.length) list.append(Object.assign(document.createElement("li"), { textContent: "Nothing fits.", className: "muted" }));
    mark();
    if (chosen) go();
  };
  const draw = (one, i) => {
    const line = Object.assign(document.createElement("li"), { id: `palette-${i}`, role: "option" });
    line.append(
      Object.assign(document.createElement("span"), { textContent: one.title, className: "ellipsis" }),
      Object.assign(document.createElement("span"), { textContent: one.kind, className: "muted small" }),
    );
    line.addEventListener("mousemove", () => { if (at !== i) { at = i; mark(); } });
    line.addEventListener("click", () => { at = i; go(); });
    return line;
  };
  const mark = () => {
    [...list.children].forEach((line, i) => line.setAttribute("aria-selected", String(i === at && lines.length > 0)));
    if (lines.length) input.setAttribute("aria-activedescendant", `palette-${at}`);
    else input.removeAttribute("aria-activedescendant");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const go = () => {
    if (answered !== asked) { chosen = true; return; }
    const one = lines[at];
    if (!one || !(one.path || one.act)) return;
    dialog.close();
    if (one.path) location.assign(one.path);
    else acts[one.act]();
  };
  const pressed = (event) => {
    event.stopPropagation();
    if (event.isComposing) return;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && lines.length) at = (at + by + lines.length) % lines.length;
    else if (event.key === "Enter") go();
    else return;
    event.preventDefault();
    mark();
  };
  const open = () => {
    if (!dialog) make();
    if (dialog.open) return dialog.close();
    input.value = "";
    list.replaceChildren();
    lines = [];
    dialog.showModal();
    input.focus();
    ask();
  };

  // --- the shortcuts
  // a dialog's frame stays for a moment after what was in it has gone
  const covered = () => document.querySelector(".q-dialog__inner, .q-menu");
  const writing = (event) => event.target.closest?.("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    const control = mac ? event.metaKey : event.ctrlKey;
    const key = event.key.toLowerCase();
    const act = (done) => { event.preventDefault(); event.stopPropagation(); done(); };
    if (event.isComposing || event.altKey) return;
    if (control && !event.shiftKey && key === "k") act(open);
    else if (dialog?.open) return;
    else if (control && event.shiftKey && key === "o") act(() => location.assign("/"));
    else if (control && key === "/") act(acts.shortcuts);
    else if (control || event.metaKey) return;
    else if (key === "escape" && stop() && [box(), document.body].includes(document.activeElement)) act(acts.stop);
    else if (writing(event) || covered()) return;
    else if (key === "?") act(acts.shortcuts);
    else if (key === "/" && box()) act(acts.write);
  });

  window.chapetaPalette = { show, open };
})();
