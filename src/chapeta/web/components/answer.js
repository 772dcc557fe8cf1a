// An answer: finished blocks are added once, the open end is changed in place. All HTML comes from the server, which has
// rendered it safely (web/markdown.py); nothing here builds HTML from text.
import { loadResource } from "../../static/utils/resources.js";

// Browsers look up the hosts of links before they are clicked: an answer could tell a stranger's name server what it knows.
if (!document.querySelector("meta[http-equiv='x-dns-prefetch-control']")) {
  const meta = document.createElement("meta");
  meta.httpEquiv = "x-dns-prefetch-control";
  meta.content = "off";
  document.head.append(meta);
}

const SLICE = 10000; // characters of HTML that are added before the page is drawn
const GROUP = 24; // blocks that stand in one element: what is added to a long list is measured with all of the list

export default {
  template: `<div></div>`,
  props: { outer: String, inner: String, dynamicResourcePath: String, version: Number, blocks: Array, tail: Object },
  emits: ["missed"],
  async mounted() {
    const root = this.$el.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.done = document.createElement("div");
    this.done.id = "done";
    this.open = document.createElement("div");
    this.open.id = "tail";
    this.open.ariaLive = "polite";
    root.append(this.done, this.open);
    root.addEventListener("click", onClick);
    this.show();
    await this.$nextTick(); // window.path_prefix is set by then
    loadSheets(window.path_prefix + this.dynamicResourcePath, this.outer, this.inner);
  },
  beforeUnmount() {
    this.gone = true;
  },
  watch: {
    blocks: { handler: "show", flush: "post" },
  },
  methods: {
    // Brings the page to the state that the server has given: everything anew only if it is another text's.
    show() {
      if (this.shownVersion !== this.version) {
        this.done.replaceChildren();
        this.shownVersion = this.version;
        this.count = 0;
      }
      drawSoon(this);
    },
    // Called by the server: blocks from number `at` on, and the open end. Both are kept in what Vue would build from.
    grow(version, at, blocks, tail) {
      if (version < this.version) return;
      if (version > this.version || at > this.blocks.length || (tail.start && tail.start !== (this.tail.code || "").length)) {
        this.$emit("missed");
        return;
      }
      this.blocks.push(...blocks.slice(this.blocks.length - at));
      const code = tail.start ? this.tail.code + tail.code : tail.code;
      for (const key of Object.keys(this.tail)) delete this.tail[key];
      Object.assign(this.tail, tail, code === undefined ? {} : { code, start: 0 });
      drawSoon(this);
    },
    // Draws about so many characters of what is not drawn yet, the open end last; how many it were.
    draw(most) {
      let size = 0;
      for (; this.count < this.blocks.length && size < most; this.count++) {
        const [html, join] = this.blocks[this.count];
        size += html.length;
        addBlock(this.done, html, join);
      }
      this.drawn = this.count === this.blocks.length;
      if (this.drawn) this.drawTail(this.tail);
      return size;
    },
    drawTail(tail) {
      const place = this.open;
      if (tail.code !== undefined) {
        let code = this.codeAt === this.count ? place.querySelector(".open code") : null;
        if (!code) {
          place.replaceChildren(openCode(tail.name, tail.joins));
          code = place.querySelector("code");
          code.append("");
          this.codeAt = this.count;
        }
        code.firstChild.appendData(tail.code.slice(code.firstChild.length));
        return;
      }
      const template = document.createElement("template");
      template.innerHTML = tail.html || "";
      if (place.querySelector(".open")) place.replaceChildren();
      patch(place, template.content);
    },
  },
};

// Answers that are not drawn whole, the lowest on the page last. Long texts come in over several frames, the lowest first,
// so that neither opening a long chat nor a burst of a stream freezes anything.
const waiting = [];
let busy = false;

function drawSoon(answer) {
  if (!waiting.includes(answer)) waiting.push(answer);
  if (busy) return;
  busy = true;
  queueMicrotask(drawSome); // when all that came at once stand here
}

function drawSome() {
  let left = SLICE;
  while (left > 0 && waiting.length) {
    const answer = waiting.at(-1);
    if (!answer.gone) left -= answer.draw(left);
    if (answer.gone || answer.drawn) waiting.pop();
  }
  afterFrame(() => {
    busy = false;
    if (waiting.length) drawSoon(waiting.at(-1));
  });
}

// Each answer has its own tree (shadow root): the page's style sheets have a hundred rules that fit any element, which made
// most of the time that a new block took.
const sheet = new CSSStyleSheet();
let loading;

function loadSheets(path, outer, inner) {
  loading ??= Promise.all([
    loadResource(`${path}/${outer}`),
    fetch(`${path}/${inner}`).then((response) => response.text()).then((text) => sheet.replace(text)),
  ]);
  return loading;
}

// When the page has been drawn; one that is not seen is not.
function afterFrame(act) {
  if (document.hidden) setTimeout(act, 16);
  else requestAnimationFrame(() => setTimeout(act));
}

function onClick(event) {
  const copy = event.target.closest(".copy");
  const picture = event.target.closest("button.picture");
  if (copy) copyCode(copy);
  if (picture) {
    event.preventDefault(); // it may stand in a link
    loadPicture(picture);
  }
}

function addBlock(place, html, join) {
  const template = document.createElement("template");
  template.innerHTML = html;
  let group = place.lastElementChild;
  const before = join && find(group?.lastElementChild, join);
  const more = join && find(template.content, join);
  if (before && more) {
    if (join === "p") before.append("\n");
    before.append(...more.childNodes);
    return;
  }
  if (!group || group.childElementCount >= GROUP) {
    group = document.createElement("div");
    group.className = "group";
    place.append(group);
  }
  group.append(template.content);
}

function find(root, name) {
  return root?.matches?.(name) ? root : root?.querySelector(name);
}

// Makes the children of one node like those of another and leaves alone what is the same: a selection stays, and a screen
// reader is told only what is new.
function patch(into, from) {
  const wanted = [...from.childNodes];
  wanted.forEach((node, place) => {
    const old = into.childNodes[place];
    if (!old) into.append(node);
    else if (old.isEqualNode(node)) return;
    else if (old.nodeType === Node.TEXT_NODE && node.nodeType === Node.TEXT_NODE) {
      if (node.data.startsWith(old.data)) old.appendData(node.data.slice(old.length));
      else old.data = node.data;
    } else if (old.nodeType === Node.ELEMENT_NODE && old.cloneNode().isEqualNode(node.cloneNode())) patch(old, node);
    else old.replaceWith(node);
  });
  while (into.childNodes.length > wanted.length) into.lastChild.remove();
}

function openCode(name, joins) {
  const box = document.createElement("div");
  box.className = joins ? "code open more" : "code open";
  const head = document.createElement("div");
  head.className = "code-head";
  const label = document.createElement("span");
  label.textContent = name;
  head.append(label);
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.append(document.createElement("code"));
  box.append(head, pre);
  return box;
}

async function copyCode(button) {
  const text = button.closest(".code").querySelector("pre").textContent.replace(/\n$/, "");
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function loadPicture(button) {
  if (!/^https?:\/\//i.test(button.dataset.src)) return;
  const image = document.createElement("img");
  image.alt = button.dataset.alt;
  image.referrerPolicy = "no-referrer";
  image.addEventListener("error", () => {
    button.textContent = "The picture could not be loaded";
    button.disabled = true;
    image.replaceWith(button);
  });
  image.src = button.dataset.src;
  button.replaceWith(image);
}
