// Keeps the parts of a page live that carry data-live. Without it the pages say the same once.
"use strict";

(() => {
  const from = document.body.dataset.liveFrom;
  const state = document.getElementById("live-state");
  if (!from || !state || !window.EventSource) {
    return;
  }

  const say = (kind, words) => {
    if (state.textContent !== words) {
      state.textContent = words;
    }
    state.dataset.kind = kind;
  };

  // Changes what differs and leaves the rest: what has the focus, is open or was scrolled stays so.
  const change = (old, fresh) => {
    if (old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) {
        old.data = fresh.data;
      }
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") {
        old.removeAttribute(name);
      }
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) {
        old.setAttribute(name, value);
      }
    }
    const before = [...old.childNodes];
    const after = [...fresh.childNodes];
    after.forEach((child, place) => {
      if (place < before.length) {
        change(before[place], child);
      } else {
        old.append(child);
      }
    });
    before.slice(after.length).forEach((child) => child.remove());
  };

  const take = (part, markup) => {
    const fresh = part.cloneNode(false);
    fresh.innerHTML = markup;
    change(part, fresh);
  };

  // A part that is too long for an event.
  const fetchPart = async (part) => {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById(part.id);
      if (found) {
        take(part, found.innerHTML);
      }
    }
  };

  let source = null;
  let trouble = "";

  const open = () => {
    source = new EventSource(from);
    source.addEventListener("part", (event) => {
      const { id, markup } = JSON.parse(event.data);
      const part = document.getElementById(id);
      if (part && part.hasAttribute("data-live")) {
        if (markup === null) {
          fetchPart(part);
        } else {
          take(part, markup);
        }
      }
      if (!trouble) {
        say("live", "Live");
      }
    });
    source.addEventListener("trouble", (event) => {
      trouble = JSON.parse(event.data);
      say(trouble ? "trouble" : "live", trouble || "Live");
    });
    source.addEventListener("error", () => {
      const ended = source.readyState === EventSource.CLOSED;
      say("trouble", ended ? "No longer live: reload the page" : "Connection lost, trying again");
    });
  };

  const close = () => {
    source.close();
    source = null;
  };

  // Nobody looks at a page in the background: it asks the nodes nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) {
      close();
      say("paused", "Paused");
    } else if (!document.hidden && !source) {
      open();
    }
  });

  if (!document.hidden) {
    open();
  }
})();
