// Keeps a page for spectators up to date: after each step the parts of the page are asked for anew
// and put in the place of the old ones. The server draws; this only replaces.

const POLL_SECONDS = 5;
const WAIT_SECONDS_MAX = 15;

const body = document.body;
const base = body.dataset.base;
const bar = document.querySelector(".live");
const says = document.getElementById("live");
const hold = document.getElementById("hold");

let held = false;
let asking = false;
let missed = false;
let replaced = () => {};

/** Ask for the page again and replace its parts. */
async function refresh() {
  if (asking) {
    missed = true;
    return;
  }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    say("Live");
  } catch (error) {
    say("No answer from the server, trying again");
  } finally {
    asking = false;
  }
  if (missed) {
    missed = false;
    refresh();
  }
}

function replace(fresh) {
  const step = fresh.body.dataset.step;
  const before = [];
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.getElementById(part.id);
    // What somebody is typing in stays as it is.
    if (!other || part.contains(document.activeElement?.closest("input, select, textarea"))) continue;
    const focus = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    before.push([part.id, part]);
    const taken = document.importNode(other, true);
    part.replaceWith(taken);
    if (focus) [...taken.querySelectorAll("[href]")].find((link) => link.getAttribute("href") === focus)?.focus();
  }
  body.dataset.step = step;
  replaced(new Map(before), fresh);
}

function say(words) {
  if (says && says.textContent !== words) says.textContent = words;
}

function follow() {
  let wait = 1;
  let timer = 0;
  const poll = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!held) refresh();
      poll();
    }, POLL_SECONDS * 1000);
  };
  const listen = () => {
    const events = new EventSource(`${base}/events?watch=${body.dataset.page}`);
    const news = () => {
      clearTimeout(timer);
      wait = 1;
      if (!held) refresh();
    };
    events.addEventListener("message", news);
    events.addEventListener("step", news);
    events.addEventListener("error", () => {
      events.close();
      poll();
      setTimeout(listen, wait * 1000);
      wait = Math.min(WAIT_SECONDS_MAX, wait * 2);
    });
  };
  poll();
  if (window.EventSource) listen();
}

/** Begin; `after(old, fresh)` is called with the parts that were replaced by id. */
export function keepUp(after = () => {}) {
  replaced = after;
  if (bar) bar.hidden = false;
  say("Live");
  hold?.addEventListener("click", () => {
    held = !held;
    hold.setAttribute("aria-pressed", String(held));
    hold.textContent = held ? "Resume updates" : "Pause updates";
    say(held ? "Paused" : "Live");
    if (!held) refresh();
  });
  follow();
}

// The map keeps up by itself, since it moves what was replaced.
if (body.dataset.page !== "map") keepUp();
