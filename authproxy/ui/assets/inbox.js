// Keeps the lists of calls up to date while their page is in view, and says how many wait.
// The page works without.
"use strict";
(() => {
  const pause = 2000; // ms between two readings of the page
  const lists = () => document.getElementById("lists");
  if (!lists() || !window.EventSource) return;
  let stream = null, reading = false, due = false;

  function say() {
    const count = Number(lists().dataset.count);
    document.title = (count > 0 ? "(" + count + ") " : "") + document.title.replace(/^\(\d+\) /, "");
    const badge = document.getElementById("count");
    badge.textContent = String(count);
    badge.hidden = count === 0;
    document.getElementById("news").textContent = count === 0 ? "Nothing waits for you any more." :
      count === 1 ? "One call waits for you." : count + " calls wait for you.";
  }

  async function refresh() {
    if (reading) { due = true; return; }
    reading = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 403) { location.reload(); return; }
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("lists");
      if (!fresh) return;
      const focused = lists().contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      lists().replaceWith(document.adoptNode(fresh));
      if (focused) {
        const again = Array.from(lists().querySelectorAll("a")).find((a) => a.getAttribute("href") === focused);
        (again || document.getElementById("waiting")).focus();
      }
      say();
    } catch { // the network: the next event tries again
    } finally {
      setTimeout(() => {
        reading = false;
        if (due) { due = false; refresh(); }
      }, pause);
    }
  }

  function open() {
    if (stream || document.hidden) return;
    stream = new EventSource("/approvals/events");
    stream.addEventListener("list", (event) => { if (event.data !== lists().dataset.listed) refresh(); });
    stream.addEventListener("ended", () => { stream.close(); location.reload(); });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden && stream) { stream.close(); stream = null; } else { open(); }
  });
  open();
})();
