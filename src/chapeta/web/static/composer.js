// The composer in the browser: files by paste and drop, what is too long for a message, a draft that outlives a reload, /skill.
(() => {
  const box = () => document.querySelector(".composer textarea");
  const place = () => document.querySelector(".composer");
  const most = () => Number(place().dataset.most);
  const key = () => `draft:${location.pathname}`;
  const tell = (name, detail) => place()?.dispatchEvent(new CustomEvent(name, { detail }));
  const note = (text, held) => tell("note", { text, held: Boolean(held) });
  const write = (text) => {
    const to = box();
    to.value = text;
    to.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // a message that was not sent, above what was written meanwhile
  const giveBack = (text) => write(box().value.trim() ? `${text}\n${box().value}` : text);

  // --- files
  const pictures = {}; // addresses of what was added, by name
  let pasted = 0;
  const send = (files) => {
    const upload = document.querySelector(".composer-row .q-uploader");
    if (files.length) getElement(upload).$refs.qRef.addFiles(files);
  };
  const named = (file) => { // a browser calls each pasted picture "image.png"
    const [, end] = file.name.match(/^image(\.\w+)$/) || [];
    return end ? new File([file], `picture ${++pasted}${end}`, { type: file.type }) : file;
  };
  const added = (files) => {
    for (const file of files) {
      if (pictures[file.name]) URL.revokeObjectURL(pictures[file.name]);
      pictures[file.name] = URL.createObjectURL(file);
    }
  };
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files") && place();
  let inside = 0; // elements of the page that the dragged file is over
  const shade = (on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("dragenter", (event) => { if (carriesFiles(event)) { event.preventDefault(); inside++; shade(true); } });
  document.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  document.addEventListener("dragleave", (event) => { if (carriesFiles(event) && --inside <= 0) { inside = 0; shade(false); } });
  document.addEventListener("drop", (event) => {
    inside = 0;
    shade(false);
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    if (items.some((item) => item.webkitGetAsEntry()?.isDirectory)) note("That is a folder. Add the files in it instead.");
    send(items.filter((item) => !item.webkitGetAsEntry()?.isDirectory).map((item) => item.getAsFile()));
  });

  // --- what is too long
  let held = "";
  let before = ""; // what stood in the box while it was short enough
  const refuse = (text) => {
    held = text;
    const say = (number) => number.toLocaleString("en");
    note(`The text has ${say(text.length)} characters; a message takes ${say(most())}. It can go along as a document.`, true);
  };
  const asDocument = () => {
    send([new File([held], `text ${++pasted}.txt`, { type: "text/plain" })]);
    held = "";
  };
  document.addEventListener("paste", (event) => {
    if (!place() || (event.target.closest?.("input, textarea, [contenteditable]") || box()) !== box()) return;
    const files = [...event.clipboardData.files];
    const text = event.clipboardData.getData("text/plain");
    if (files.length && !text) { // office programs add a picture of the text that was copied
      event.preventDefault();
      send(files.map(named));
    } else if (text.length + box().value.length > most()) {
      event.preventDefault();
      refuse(text);
    }
  });

  // --- the draft
  const forgetDraft = () => { try { localStorage.removeItem(key()); } catch { /* there is none */ } };
  const keep = () => {
    if (!box()) return;
    try {
      if (box().value.trim()) localStorage.setItem(key(), box().value);
      else forgetDraft();
    } catch { /* the browser keeps nothing: then a reload loses what was not sent */ }
  };
  document.addEventListener("beforeinput", (event) => { if (event.target === box()) before = box().value; }, true);
  let waiting;
  document.addEventListener("input", (event) => {
    if (event.target !== box()) return;
    if (event.target.value.length > most()) {
      refuse(event.target.value);
      event.target.value = before;
    }
    before = event.target.value;
    clearTimeout(waiting);
    waiting = setTimeout(keep, 300);
    complete();
  }, true);
  window.addEventListener("pagehide", keep);
  const begin = () => {
    if (!box()) return setTimeout(begin, 50);
    try {
      const draft = localStorage.getItem(key());
      if (draft && !box().value) write(draft);
    } catch { /* nothing is kept */ }
  };
  begin();

  // --- /skill
  let known = null; // the skills, asked for with the first "/"
  let shown = [];
  let at = 0;
  const list = () => document.getElementById("composer-skills");
  const close = () => {
    shown = [];
    if (!list()) return;
    list().hidden = true;
    ["aria-controls", "aria-activedescendant"].forEach((name) => box()?.removeAttribute(name));
  };
  const complete = () => {
    const typed = box().value.match(/^\/([\w-]*)$/);
    if (!typed) { known = null; return close(); }
    if (!known) { known = []; tell("skills"); return; }
    const words = typed[1].toLowerCase();
    const fits = known.filter((one) => one.name.toLowerCase().includes(words));
    shown = [...fits.filter((one) => one.name.toLowerCase().startsWith(words)), ...fits].filter((one, i, all) => all.indexOf(one) === i);
    at = 0;
    draw();
  };
  const draw = () => {
    if (!shown.length) return close();
    list().hidden = false;
    list().replaceChildren(...shown.map((one, i) => {
      const line = document.createElement("li");
      const about = Object.assign(document.createElement("span"), { textContent: one.about, className: "muted small ellipsis" });
      Object.assign(line, { id: `composer-skill-${i}`, role: "option", ariaSelected: String(i === at) });
      line.append(Object.assign(document.createElement("span"), { textContent: `/${one.name}` }), about);
      line.addEventListener("mousedown", (event) => { event.preventDefault(); take(one); });
      return line;
    }));
    box().setAttribute("aria-autocomplete", "list");
    box().setAttribute("aria-controls", list().id);
    box().setAttribute("aria-activedescendant", `composer-skill-${at}`);
    list().children[at].scrollIntoView({ block: "nearest" });
  };
  const take = (one) => { write(`/${one.name} `); box().focus(); };
  document.addEventListener("focusout", (event) => { if (event.target === box()) close(); });
  document.addEventListener("keydown", (event) => {
    if (event.target !== box() || event.isComposing) return;
    if (shown.length && ["ArrowDown", "ArrowUp", "Enter", "Tab", "Escape"].includes(event.key) && !event.shiftKey) {
      event.preventDefault();
      event.stopPropagation(); // neither is the message sent, nor an answer stopped
      if (event.key === "Escape") close();
      else if (event.key.startsWith("Arrow")) {
        at = (at + (event.key === "ArrowDown" ? 1 : shown.length - 1)) % shown.length;
        draw();
      } else take(shown[at]);
    } else if (event.key === "Enter" && !event.shiftKey) event.preventDefault(); // the page sends
  }, true);

  const skills = (lines) => { if (known) { known = lines; complete(); } };
  window.chapetaComposer = { giveBack, pictures, added, asDocument, forget: () => { held = ""; }, skills, keep, forgetDraft };
})();
