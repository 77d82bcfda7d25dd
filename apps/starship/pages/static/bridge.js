// Keeps a bridge live: steps as they come, orders without leaving the page, keys, motion between
// steps. Every page says and does the same without it; nothing here decides anything of the game.

const body = document.body;
const byId = (id) => document.getElementById(id);
const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const still = matchMedia("(prefers-reduced-motion: reduce)");
const base = body.dataset.base;
const isCaptain = () => body.dataset.mode === "captain";

const RETRIES = [1, 2, 4, 8, 15]; // seconds
const MOVE_MS = 1500; // to read why the page goes elsewhere
const TRIES_HERE = 4; // then the site of another server is asked, if there is one
const COURSE_WAIT = 500; // milliseconds from the last arrow key to the order
const FIRE_WAIT = 4000; // milliseconds for the digit after f
const ANSWERS_MAX = 4;

// --- changing a part in place -----------------------------------------------------------------

const keyOf = (node) =>
  node.nodeType === Node.ELEMENT_NODE ? node.id || node.getAttribute("data-name") || "" : "";

const place = (parent, node, before) => {
  if (parent.moveBefore && node.parentNode === parent) {
    parent.moveBefore(node, before); // keeps the focus and what is hovered
  } else {
    parent.insertBefore(node, before);
  }
};

const changeAttributes = (old, fresh, kept) => {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept.includes(name)) {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !kept.includes(name)) {
      old.setAttribute(name, value);
    }
  }
};

const change = (old, fresh) => {
  if (old.isEqualNode(fresh)) {
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  if (old.matches("input, select")) {
    changeField(old, fresh);
    return;
  }
  changeAttributes(old, fresh, ["tabindex"].filter(() => old.hasAttribute("data-roving")));
  if (!old.hasAttribute("data-keep")) {
    changeChildren(old, fresh);
  }
};

// What somebody types or has typed stays.
const changeField = (old, fresh) => {
  const busy = old === document.activeElement;
  if (old.nodeName === "SELECT") {
    const untouched = old.value === old.dataset.fresh;
    changeAttributes(old, fresh, []);
    if (!busy) {
      const chosen = untouched ? fresh.value : old.value;
      changeChildren(old, fresh);
      old.value = chosen;
    }
    return;
  }
  const untouched = old.type === "checkbox" || old.value === old.defaultValue;
  const refused = old.hasAttribute("aria-invalid") && !fresh.hasAttribute("aria-invalid");
  const kept = busy || !untouched ? ["value"] : [];
  changeAttributes(old, fresh, refused ? [...kept, "aria-invalid", "aria-describedby"] : kept);
  if (untouched && !busy && old.type !== "checkbox") {
    old.value = fresh.defaultValue;
  }
};

const changeChildren = (old, fresh) => {
  const keyed = new Map();
  for (const child of old.childNodes) {
    const key = keyOf(child);
    if (key) {
      keyed.set(key, child);
    }
  }
  let next = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    while (next && !key && keyOf(next)) {
      next = next.nextSibling; // it is moved when its turn comes, or removed in the end
    }
    const known = key ? keyed.get(key) : next;
    if (known && known.nodeName === child.nodeName) {
      keyed.delete(key);
      known.seen = true;
      if (known === next) {
        next = next.nextSibling;
      } else {
        place(old, known, next);
      }
      change(known, child);
    } else {
      child.seen = true;
      old.insertBefore(child, next);
    }
  }
  for (const child of [...old.childNodes]) {
    if (child.seen) {
      delete child.seen;
    } else if (!(child.nodeType === Node.ELEMENT_NODE && child.hasAttribute("data-own"))) {
      child.remove();
    }
  }
};

// Puts panels in their places: HTML by id.
const put = (panels) => {
  const focused = document.activeElement;
  const before = positions();
  for (const [id, html] of Object.entries(panels)) {
    const old = byId(id);
    if (!old) {
      continue;
    }
    const fresh = old.cloneNode(false);
    fresh.innerHTML = html;
    all(".countdown animate", fresh).forEach((part) => part.remove());
    changeChildren(old, fresh);
  }
  if (focused !== document.activeElement && focused.isConnected && focused !== body) {
    focused.focus({ preventScroll: true });
  }
  applyPan();
  noteAlert();
  if ("header" in panels) {
    // Somebody else may be in command by now, or the captain gone.
    body.dataset.mode = one("#header .badge.scan") ? "scan" : "captain";
    runDown();
  }
  if ("srs" in panels || "lrs" in panels) {
    move(before);
  }
};

// --- motion between steps ---------------------------------------------------------------------

const running = new WeakMap();

const animate = (element, frames, milliseconds) => {
  running.get(element)?.cancel();
  running.set(element, element.animate(frames, { duration: milliseconds, easing: "linear" }));
};

const positions = () =>
  new Map(
    all("#scope, #galaxy").map((svg) => [
      svg.id,
      {
        x: +svg.dataset.x,
        y: +svg.dataset.y,
        scale: svg.dataset.scale,
        heading: +(one(".turner", svg)?.dataset.heading ?? 0),
        things: new Map(
          all("[data-name][data-x]", svg).map((row) => [
            row.dataset.name,
            [+row.dataset.x, +row.dataset.y],
          ]),
        ),
      },
    ]),
  );

let secondsLeft = 0;

// Draws everything from where it was to where it is, until the next step.
const move = (before) => {
  if (still.matches || document.hidden || secondsLeft < 0.3) {
    return;
  }
  const time = secondsLeft * 1000;
  const shift = (x, y) => [{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }];
  for (const svg of all("#scope, #galaxy")) {
    const was = before.get(svg.id);
    if (!was || was.scale !== svg.dataset.scale) {
      continue;
    }
    const scale = +svg.dataset.scale;
    const [dx, dy] = [+svg.dataset.x - was.x, +svg.dataset.y - was.y];
    if (dx || dy) {
      all(".camera", svg).forEach((part) => animate(part, shift(dx * scale, -dy * scale), time));
    }
    for (const row of all("[data-name][data-x]", svg)) {
      const [x, y] = was.things.get(row.dataset.name) ?? [+row.dataset.x, +row.dataset.y];
      const [mx, my] = [x - row.dataset.x, y - row.dataset.y];
      if (mx || my) {
        animate(one(".mover", row), shift(mx * scale, -my * scale), time);
      }
    }
    const turner = one(".turner", svg);
    if (turner) {
      const turn = ((+turner.dataset.heading - was.heading + 540) % 360) - 180;
      const at = +turner.dataset.heading;
      if (turn) {
        const frames = [at - turn, at].map((angle) => ({ transform: `rotate(${angle}deg)` }));
        animate(turner, frames, time);
      }
    }
  }
};

// The bar that runs down to the next step.
const runDown = () => {
  const bar = one("#header .countdown");
  if (!bar) {
    return;
  }
  secondsLeft = +bar.dataset.left;
  const fill = one(".fill", bar);
  const share = 100 * Math.min(1, secondsLeft / +bar.dataset.whole);
  fill.setAttribute("width", "100");
  const from = `scaleX(${share / 100})`;
  running.get(fill)?.cancel();
  if (!still.matches) {
    const frames = [{ transform: from }, { transform: "scaleX(0)" }];
    running.set(fill, fill.animate(frames, { duration: secondsLeft * 1000, fill: "forwards" }));
  }
};

// --- what is told -----------------------------------------------------------------------------

let promptTimer = 0;

const prompt = (words, kind = "", milliseconds = 3500) => {
  const element = byId("prompt");
  clearTimeout(promptTimer);
  element.className = `prompt ${kind}`;
  element.textContent = words;
  if (words && milliseconds) {
    promptTimer = setTimeout(() => prompt(""), milliseconds);
  }
};

const noteAlert = () => {
  const level = one("#alert [data-level]")?.dataset.level ?? "green";
  if (level !== body.dataset.alert) {
    body.dataset.alert = level;
    if (level === "red") {
      sound([660, 440, 660, 440], 0.16);
    }
  }
  document.title = `${level.toUpperCase()} · ${body.dataset.ship} · StarShip`;
};

const noteAnswer = (answer) => {
  const list = byId("answers");
  if (!list || answer.ok) {
    return;
  }
  const line = document.createElement("li");
  line.className = "refused";
  line.dataset.key = "refused";
  line.dataset.code = answer.code ?? "";
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "icon refused");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  icon.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  icon.firstChild.setAttribute("href", "#m-refused");
  const words = document.createElement("span");
  words.textContent = answer.text;
  line.append(icon, words);
  list.prepend(line);
  [...list.children].slice(ANSWERS_MAX).forEach((row) => row.remove());
  setTimeout(() => line.remove(), 30_000);
};

const noteLeft = (left) => {
  const dots = byId("dots");
  if (!dots || !(left >= 0)) {
    return;
  }
  [...dots.children].forEach((dot, number) => dot.classList.toggle("on", number < left));
  dots.setAttribute("aria-label", `${left} of ${dots.dataset.limit} orders left`);
};

// --- the stream of steps ----------------------------------------------------------------------

let source = null;
let tries = 0;
let retryTimer = 0;
let lastHeard = 0;
let other = ""; // the site of another server of the game, for when this one is gone

const connection = (state, words) => {
  const element = byId("connection");
  element.dataset.state = state;
  if (element.textContent !== words) {
    element.textContent = words;
  }
};

const banner = (words) => {
  const element = byId("banner");
  element.hidden = !words;
  if (element.textContent !== words) {
    element.textContent = words;
  }
};

const closeStream = () => {
  clearTimeout(retryTimer);
  source?.close();
  source = null;
};

const reload = () => {
  const last = +(sessionStorage.getItem("reloaded") ?? 0);
  if (Date.now() - last > 3000) {
    sessionStorage.setItem("reloaded", String(Date.now()));
    location.reload();
  } else {
    closeStream();
    banner("This page is no longer live. Load it again to go on.");
  }
};

// The server leaves the game: who is at its bridges goes on at another's.
const moveOn = () => {
  closeStream();
  connection("lost", "Not live");
  banner(`This server leaves the game. You go on at ${other}.`);
  setTimeout(() => location.assign(`${other}${location.pathname}${location.search}`), MOVE_MS);
};

const heard = (event) => {
  const told = JSON.parse(event.data);
  lastHeard = performance.now();
  tries = 0;
  banner("");
  connection("live", "Live");
  if (told.reload) {
    reload();
    return;
  }
  noteLeft(told.left);
  other = told.other ?? other;
  if (told.leaving && other) {
    moveOn();
    return;
  }
  if (told.panels) {
    secondsLeft = told.next_in ?? secondsLeft;
    put(told.panels);
    body.dataset.step = told.step;
  }
  if (told.stale) {
    fetchParts(told.stale);
  }
};

// Parts that are too large to be pushed come from the page.
const fetchParts = async (ids) => {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = ids.filter((id) => answer.ok && fresh.getElementById(id));
    put(Object.fromEntries(found.map((id) => [id, fresh.getElementById(id).innerHTML])));
  } catch {
    // The next step brings them.
  }
};

const openStream = () => {
  closeStream();
  const opened = new EventSource(body.dataset.events);
  source = opened;
  lastHeard = performance.now();
  opened.onmessage = heard;
  opened.onerror = () => {
    if (source === opened) {
      retry();
    }
  };
};

const retry = () => {
  closeStream();
  if (other && tries >= TRIES_HERE) {
    location.assign(`${other}${location.pathname}${location.search}`);
    return;
  }
  const seconds = RETRIES[Math.min(tries, RETRIES.length - 1)];
  tries += 1;
  connection("lost", "Not live");
  banner(`Connection lost. Trying again in ${seconds} s.`);
  retryTimer = setTimeout(openStream, seconds * 1000);
};

// A link that fell silent without an error: no step for four intervals and twenty seconds.
setInterval(() => {
  const whole = +(one("#header .countdown")?.dataset.whole ?? 0);
  if (source && whole && performance.now() - lastHeard > (4 * whole + 20) * 1000) {
    retry();
  }
}, 5000);

// --- another look -----------------------------------------------------------------------------

let looks = 0;

// Shows the page at an address in the place of this one: another target, radius or filter.
const look = async (address) => {
  const number = ++looks;
  closeStream();
  let fresh;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok || !fresh.body.dataset.events) {
      throw new Error("no bridge");
    }
  } catch {
    if (number === looks) {
      location.assign(address);
    }
    return;
  }
  if (number !== looks) {
    return;
  }
  const field = byId("dest");
  if (field && fresh.body.dataset.target !== body.dataset.target) {
    field.value = field.defaultValue; // the target that was chosen last is proposed
  }
  for (const { name, value } of fresh.body.attributes) {
    if (name.startsWith("data-")) {
      body.setAttribute(name, value);
    }
  }
  const places = all("main section[id]", fresh);
  secondsLeft = 0;
  put(Object.fromEntries(places.map((section) => [section.id, section.innerHTML])));
  history.replaceState(null, "", address);
  openStream();
};

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-look]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (link && plain && !event.altKey) {
    event.preventDefault();
    if (!dragged) {
      look(link.getAttribute("href"));
    }
  }
});

// --- orders -----------------------------------------------------------------------------------

const send = async (fields) => {
  const request = {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(fields),
  };
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await fetch(`${base}/order`, request);
      return await answer.json();
    } catch {
      if (attempt === 1) {
        return { ok: false, code: "E_LINK", text: "The order did not get through.", left: -1 };
      }
      // Once more: with the same key it is admitted once, whatever became of the first one.
      await new Promise((resolve) => setTimeout(resolve, 800));
    }
  }
};

const order = async (command, ...words) => {
  const fields = {
    ship: body.dataset.ship,
    token: body.dataset.token,
    key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    command,
  };
  words.forEach((word, number) => {
    fields[`arg${number + 1}`] = String(word);
  });
  const answer = await send(fields);
  // One that comes after its step says nothing of what the next one takes.
  if (answer.step > +body.dataset.step) {
    noteLeft(answer.left);
  }
  noteAnswer(answer);
  if (answer.ok) {
    prompt([command, ...words].join(" "), "taken", 2000);
  } else {
    prompt(answer.text, "refused", 6000);
    sound([180], 0.12);
  }
  return answer;
};

const tellField = (form, answer) => {
  const field = form.querySelector("input[name=arg1]:not([type=hidden])");
  if (!field) {
    return;
  }
  const id = `${field.id}-error`;
  byId(id)?.remove();
  if (answer.ok) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
    field.defaultValue = field.value;
    return;
  }
  const words = document.createElement("p");
  words.className = "error";
  words.id = id;
  words.dataset.own = "";
  words.textContent = answer.text;
  form.parentNode.append(words);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.classList.contains("order")) {
    return;
  }
  event.preventDefault();
  const fields = new FormData(form);
  const words = ["arg1", "arg2"].filter((name) => fields.has(name)).map((name) => fields.get(name));
  const answer = await order(fields.get("command"), ...words);
  tellField(form, answer);
  if (answer.ok && fields.get("then") === "dest") {
    await order("dest", words[0]);
  }
});

document.addEventListener("input", (event) => {
  const { target } = event;
  if (target.hasAttribute("aria-invalid")) {
    target.removeAttribute("aria-invalid");
    byId(`${target.id}-error`)?.remove();
  }
});

// --- keys -------------------------------------------------------------------------------------

let firing = 0;
let course = null;
let courseTimer = 0;

const showCourse = (degrees) => {
  const needle = one("#rose .want");
  needle?.setAttribute("transform", `rotate(${degrees})`);
  prompt(`Course ${degrees.toFixed(1).padStart(5, "0")}`, "", 0);
};

const steer = (turn) => {
  const rose = byId("rose");
  course = ((((course ?? +rose.dataset.course) + turn) % 360) + 360) % 360;
  showCourse(course);
  clearTimeout(courseTimer);
  courseTimer = setTimeout(() => {
    const wanted = course.toFixed(1);
    course = null;
    order("course", wanted);
  }, COURSE_WAIT);
};

const disarm = () => {
  clearTimeout(firing);
  firing = 0;
};

const arm = () => {
  disarm();
  const names = all(".weapon").map((row, number) => `${number + 1} ${row.dataset.weapon}`);
  prompt(`Fire: press the number of a weapon (${names.join(", ")})`, "", FIRE_WAIT);
  firing = setTimeout(disarm, FIRE_WAIT);
};

const fire = (number) => {
  disarm();
  const weapon = all(".weapon")[number - 1];
  if (weapon) {
    order("fire", weapon.dataset.weapon);
  } else {
    prompt(`There is no weapon ${number}.`, "refused");
  }
};

const digit = (number) => {
  if (firing) {
    fire(number);
  } else {
    order("speed", `${number}.0`);
  }
};

const pick = (step) => {
  const rows = all("#srs tbody tr");
  const at = rows.findIndex((row) => row.classList.contains("aimed"));
  const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : (at + step + rows.length) % rows.length;
  if (rows.length) {
    look(one("a", rows[next]).getAttribute("href"));
  } else {
    prompt("Nothing within range.");
  }
};

const zoom = (step) => {
  const steps = all("[data-zoom]");
  const at = steps.findIndex((link) => link.hasAttribute("aria-current"));
  const next = steps[at + step];
  if (next) {
    look(next.getAttribute("href"));
  }
  return Boolean(next);
};

const focusField = (id) => {
  byId(id)?.focus();
  byId(id)?.select();
};

const lockAll = () => {
  if (body.dataset.target) {
    order("lock", "all", body.dataset.target);
  } else {
    prompt("Choose a target first.", "refused");
  }
};

const clearTarget = () => {
  const link = one("[data-testid=clear]");
  if (firing) {
    disarm();
    prompt("");
  } else if (link) {
    look(link.getAttribute("href"));
  }
};

const FOR_ALL = {
  n: () => pick(1),
  p: () => pick(-1),
  "+": () => zoom(-1),
  "=": () => zoom(-1),
  "-": () => zoom(1),
  m: () => byId("messages-title").focus(),
  g: () => location.assign(`${base}/map`),
  "?": () => byId("help").togglePopover(),
  Escape: clearTarget,
};

const FOR_CAPTAINS = {
  ArrowLeft: (event) => steer(event.shiftKey ? -1 : -10),
  ArrowRight: (event) => steer(event.shiftKey ? 1 : 10),
  c: () => focusField("course"),
  d: () => focusField("dest"),
  s: () => order("shields", one("#shields .state.up") ? "down" : "up"),
  l: lockAll,
  f: arm,
  "!": () => order("distress"),
};

const isTyping = (element) => element.matches?.("input:not([type=checkbox]), select, textarea");

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) {
    return;
  }
  if (isTyping(target)) {
    if (event.key === "Escape") {
      target.blur();
    }
    return;
  }
  const helping = byId("help").matches(":popover-open");
  if (body.dataset.keys === "off" || (helping && event.key !== "?")) {
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const scrolls = key.startsWith("Arrow") && target.closest?.(".scroll");
  let act = FOR_ALL[key] ?? (isCaptain() && !scrolls ? FOR_CAPTAINS[key] : undefined);
  if (isCaptain() && /^[0-9]$/.test(key)) {
    act = () => digit(+key);
  }
  if (act) {
    event.preventDefault();
    act(event);
  }
});

// --- the mouse on the rose and on the scan ----------------------------------------------------

const angleAt = (event) => {
  const box = byId("rose").getBoundingClientRect();
  const [x, y] = [event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2];
  return (Math.round((Math.atan2(x, -y) * 180) / Math.PI) + 360) % 360;
};

let turning = false;

document.addEventListener("pointerdown", (event) => {
  if (isCaptain() && event.button === 0 && event.target.closest?.("#rose")) {
    turning = true;
    showCourse(angleAt(event));
  }
});

document.addEventListener("pointermove", (event) => {
  if (turning) {
    showCourse(angleAt(event));
  }
});

document.addEventListener("pointerup", (event) => {
  if (turning) {
    turning = false;
    order("course", angleAt(event).toFixed(1));
  }
});

document.addEventListener("pointercancel", () => {
  turning = false;
  grip = null;
});

const pan = { x: 0, y: 0 };
let grip = null;
let dragged = false;

const applyPan = () => {
  byId("scope")?.setAttribute("viewBox", `${pan.x - 322} ${pan.y - 322} 644 644`);
};

document.addEventListener("pointerdown", (event) => {
  dragged = false;
  if (event.button === 0 && event.pointerType === "mouse" && event.target.closest?.("#scope")) {
    grip = { x: event.clientX, y: event.clientY, px: pan.x, py: pan.y };
  }
});

document.addEventListener("pointermove", (event) => {
  if (!grip) {
    return;
  }
  const unit = 644 / byId("scope").getBoundingClientRect().height;
  const [dx, dy] = [(event.clientX - grip.x) * unit, (event.clientY - grip.y) * unit];
  if (dragged || Math.hypot(dx, dy) > 8) {
    dragged = true;
    pan.x = Math.max(-300, Math.min(300, grip.px - dx));
    pan.y = Math.max(-300, Math.min(300, grip.py - dy));
    applyPan();
  }
});

document.addEventListener("pointerup", () => {
  grip = null;
});

document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.("#scope")) {
    event.preventDefault();
  }
});

document.addEventListener("dblclick", (event) => {
  if (event.target.closest?.("#scope")) {
    pan.x = 0;
    pan.y = 0;
    applyPan();
  }
});

let wheeled = 0;

document.addEventListener(
  "wheel",
  (event) => {
    if (event.ctrlKey || !event.target.closest?.("#scope")) {
      return;
    }
    // At the widest and the nearest the page scrolls on.
    const now = performance.now();
    if (now - wheeled < 350) {
      event.preventDefault();
    } else if (zoom(event.deltaY > 0 ? 1 : -1)) {
      wheeled = now;
      event.preventDefault();
    }
  },
  { passive: false },
);

// --- sound ------------------------------------------------------------------------------------

let audio = null;

const sound = (tones, seconds) => {
  if (!audio) {
    return;
  }
  tones.forEach((tone, number) => {
    const [wave, volume] = [audio.createOscillator(), audio.createGain()];
    const at = audio.currentTime + number * seconds;
    wave.type = "triangle";
    wave.frequency.value = tone;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.12, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + seconds);
    wave.connect(volume).connect(audio.destination);
    wave.start(at);
    wave.stop(at + seconds);
  });
};

const soundButton = byId("sound");
soundButton.hidden = false;
soundButton.addEventListener("click", () => {
  audio = audio ? null : new AudioContext();
  soundButton.setAttribute("aria-pressed", String(Boolean(audio)));
  sound([520, 780], 0.1);
});

// --- begin ------------------------------------------------------------------------------------

window.addEventListener("pagehide", closeStream);
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    openStream();
  }
});

all(".countdown animate").forEach((part) => part.remove());
all(".live-note").forEach((note) => {
  note.textContent = "This page is live: it changes with each step.";
});
runDown();
connection("wait", "Connecting");
openStream();
