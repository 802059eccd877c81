// Keeps the numbers of a page of the console up to date while it is in view. The page works without.
"use strict";
(() => {
  const live = () => document.getElementById("live");
  if (!live() || !window.EventSource) return;
  const events = live().dataset.events;
  let stream = null;

  function show(event) {
    const fresh = new DOMParser().parseFromString(event.data, "text/html").getElementById("live");
    if (!fresh) return;
    const focused = live().contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const unfolded = live().querySelector("details[open]") !== null;
    live().replaceWith(document.adoptNode(fresh));
    if (unfolded && live().querySelector("details")) live().querySelector("details").open = true;
    if (focused) {
      const again = Array.from(live().querySelectorAll("a")).find((a) => a.getAttribute("href") === focused);
      if (again) again.focus();
    }
  }

  function open() {
    if (stream || document.hidden) return;
    stream = new EventSource(events);
    stream.addEventListener("part", show);
    stream.addEventListener("ended", () => { stream.close(); location.reload(); });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden && stream) { stream.close(); stream = null; } else { open(); }
  });
  open();
})();
