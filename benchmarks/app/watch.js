// Runs in every page before its own scripts: notes when things could first be seen, and how long the page stood still.
(() => {
  const now = () => performance.timeOrigin + performance.now();
  const marks = {};
  let longest = 0, last = 0, resting = false;
  const usable = () => {
    const box = document.querySelector(".composer textarea");
    return box && box.getBoundingClientRect().height > 0 && window.did_handshake && window.socket?.connected;
  };
  const lastTurn = () => {
    if (!location.pathname.startsWith("/chat/long")) return false; // reading a growing answer at each frame would be measured too
    const shown = [...document.querySelectorAll("article.turn .answer")].pop()?.shadowRoot;
    const done = shown?.querySelector("#done");
    if (!done?.textContent.includes("endofturn") || !shown.adoptedStyleSheets[0]?.cssRules.length) return false;
    const body = document.querySelector(".talk-body");
    return body.scrollHeight - body.scrollTop - body.clientHeight < 100;
  };
  const wanted = { usable, lastTurn };
  const frame = (at) => {
    if (resting) return;
    if (last) longest = Math.max(longest, at - last);
    last = at;
    for (const [name, holds] of Object.entries(wanted)) if (!marks[name] && holds()) marks[name] = now();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  window.seen = {
    begin: () => { longest = last = 0; },
    rest: () => { resting = true; }, // asking for each frame costs too
    tell: () => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0];
      const page = performance.getEntriesByType("navigation")[0];
      return {
        ...marks, longest, origin: performance.timeOrigin,
        firstByte: page && performance.timeOrigin + page.responseStart,
        painted: paint && performance.timeOrigin + paint.startTime,
        bytes: performance.getEntriesByType("resource").reduce((sum, one) => sum + one.transferSize, page?.transferSize ?? 0),
      };
    },
  };
})();
