// Plays the last steps: fetches frames, a hundred at a time, and draws between them.

import { chart, moves, scale } from "./chart.js";

const CHUNK = 100;
const ALERTS = { g: "green", y: "yellow", r: "red" };
const SVG = "http://www.w3.org/2000/svg";
const TRAIL = 12;

const replay = document.getElementById("replay");
const base = document.body.dataset.base;
const slider = document.getElementById("at");
const play = document.getElementById("play");
const speed = document.getElementById("speed");
const says = document.getElementById("says");
const side = Number(chart?.dataset.side ?? 1);

const frames = new Map();
const who = new Map();
const nodes = new Map();
let first = Number(replay?.dataset.first);
let last = Number(replay?.dataset.last);
let at = Number(slider?.value);
let playing = false;
let before = 0;
let shown = null;
let asked = null;

async function load(step) {
  const from = Math.max(first, Math.floor(step / CHUNK) * CHUNK);
  if (asked) return asked;
  asked = (async () => {
    const answer = await fetch(`${base}/replay.json?from=${from}&to=${from + CHUNK - 1}`);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const found = await answer.json();
    for (const [number, row] of Object.entries(found.who)) who.set(Number(number), row);
    for (const frame of found.frames) frames.set(frame.t, frame);
    bounds(...found.kept);
  })();
  try {
    await asked;
    if (says.dataset.failed) say(says.dataset.failed = "");
  } catch (error) {
    says.dataset.failed = "1";
    say("No answer from the server");
    playing = false;
    button();
  } finally {
    asked = null;
  }
}

function bounds(begin, end) {
  first = begin;
  last = end;
  slider.min = first;
  slider.max = last;
  at = Math.max(first, Math.min(last, at));
}

function say(words) {
  says.textContent = words;
}

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

function node(number, layer) {
  let made = nodes.get(number);
  if (made) return made;
  const [name, race, kind, captain] = who.get(number);
  const ship = kind === "starship";
  const human = captain === "human" ? " human" : "";
  const link = ship ? { href: `${base}/scan?ship=${encodeURIComponent(name)}`, tabindex: "-1" } : {};
  const whole = element(ship ? "a" : "g", { class: `thing ${kind} race-${race}${human}`, "data-name": name, ...link }, layer);
  const title = element("title", {}, whole);
  title.textContent = `${name}, ${kind}`;
  const call = element("circle", { r: 2.1, class: "ring call", visibility: "hidden" }, whole);
  const ring = element("circle", { r: 1.6, class: "ring", visibility: "hidden" }, whole);
  const symbol = ship ? `#hull-${race}` : `#${kind}`;
  const hull = element("use", { href: symbol, x: -1.3, y: -1.3, width: 2.6, height: 2.6, class: "hull" }, whole);
  const label = element("text", { x: 1.7, y: 0.45, class: "label" }, whole);
  label.textContent = name;
  made = { whole, call, ring, hull, ship, index: -1 };
  nodes.set(number, made);
  return made;
}

function layer(id) {
  return document.getElementById(id);
}

function index(frame) {
  if (!frame.at) frame.at = new Map(frame.i.map((number, row) => [number, row]));
  return frame.at;
}

/** Draw the moment `time`, a step with a fraction. */
function draw(time) {
  const step = Math.min(last, Math.floor(time));
  const frame = frames.get(step);
  if (!frame) return false;
  const next = frames.get(step + 1);
  const part = next && moves() ? time - step : 0;
  const things = layer("things");
  if (shown === null) things.replaceChildren();
  const size = scale().toFixed(2);
  const ahead = next ? index(next) : new Map();
  for (let row = 0; row < frame.i.length; row++) {
    const number = frame.i[row];
    const made = node(number, things);
    const other = part ? ahead.get(number) : undefined;
    let [x, y] = [frame.x[row] / 10, frame.y[row] / 10];
    if (other !== undefined) {
      x += (next.x[other] / 10 - x) * part;
      y += (next.y[other] / 10 - y) * part;
    }
    made.whole.setAttribute("transform", `translate(${x.toFixed(1)} ${(side - y).toFixed(1)}) scale(${size})`);
    if (step !== shown && made.ship) {
      const letter = frame.a[row];
      made.hull.setAttribute("transform", `rotate(${frame.h[row] / 10})`);
      made.ring.setAttribute("visibility", ALERTS[letter.toLowerCase()] === "red" ? "inherit" : "hidden");
      made.call.setAttribute("visibility", letter !== letter.toLowerCase() ? "inherit" : "hidden");
    }
  }
  if (step !== shown) {
    shown = step;
    change(frame);
  }
  return true;
}

/** What is only drawn when the step is another one. */
function change(frame) {
  const there = index(frame);
  for (const [number, made] of nodes) made.whole.setAttribute("visibility", there.has(number) ? "inherit" : "hidden");
  const beams = layer("beams");
  beams.replaceChildren();
  for (const [x1, y1, x2, y2, hit] of frame.b) {
    const ends = { x1: x1 / 10, y1: side - y1 / 10, x2: x2 / 10, y2: side - y2 / 10 };
    element("line", { ...ends, class: hit ? "beam hit" : "beam" }, beams);
  }
  const bursts = layer("bursts");
  bursts.replaceChildren();
  for (const [x, y] of frame.e) {
    const place = `translate(${x / 10} ${side - y / 10}) scale(${scale().toFixed(2)})`;
    element("path", { d: "M-1-1 1 1M1-1-1 1" }, element("g", { class: "burst", transform: place }, bursts));
  }
  trails(frame);
  tell(frame);
}

function trails(frame) {
  const tracks = new Map();
  for (let step = frame.t - TRAIL; step <= frame.t; step++) {
    const old = frames.get(step);
    if (!old) continue;
    for (let row = 0; row < old.i.length; row++) {
      if (old.a[row] === "-") continue;
      const points = tracks.get(old.i[row]) ?? [];
      points.push(`${old.x[row] / 10},${side - old.y[row] / 10}`);
      tracks.set(old.i[row], points);
    }
  }
  const lines = layer("trails");
  lines.replaceChildren();
  const there = index(frame);
  for (const [number, points] of tracks) {
    if (!there.has(number) || points.length < 2) continue;
    element("polyline", { points: points.join(" "), class: `trail race-${who.get(number)[1]}` }, lines);
  }
}

function tell(frame) {
  slider.value = frame.t;
  slider.setAttribute("aria-valuetext", `step ${frame.t}`);
  const words = document.getElementById("step");
  if (words) words.textContent = `Step ${frame.t.toLocaleString("en")}`;
  document.body.dataset.step = frame.t;
  const ships = frame.i.filter((number) => who.get(number)[2] === "starship").length;
  const hits = frame.b.filter((row) => row[4]).length;
  const calls = [...frame.a].filter((letter) => letter !== letter.toLowerCase()).length;
  const lost = frame.e.map((row) => who.get(row[2])?.[0]).join(", ") || "none";
  const values = [ships, `${frame.b.length}, ${hits} of them hits`, calls, lost];
  document.querySelectorAll("#events dd").forEach((place, row) => (place.textContent = values[row]));
}

async function go(step) {
  at = Math.max(first, Math.min(last, step));
  if (!frames.has(Math.floor(at))) await load(Math.floor(at));
  draw(at);
}

function button() {
  play.textContent = playing ? "Pause" : "Play";
}

async function toggle() {
  playing = !playing;
  if (playing && at >= last) at = first;
  button();
  say(playing ? `Playing at ${speed.value}\u00d7` : `Paused at step ${Math.floor(at)}`);
  if (!playing) return;
  await go(at);
  before = performance.now();
  requestAnimationFrame(tick);
}

function tick(now) {
  if (!playing) return;
  const seconds = Math.min(0.25, Math.max(0, (now - before) / 1000));
  before = now;
  const wanted = Math.min(last, at + (seconds / Number(replay.dataset.interval)) * Number(speed.value));
  const ahead = Math.min(last, Math.floor(wanted) + 20);
  if (!frames.has(ahead)) load(ahead);
  if (frames.has(Math.floor(wanted))) {
    at = wanted;
    draw(at);
  }
  if (at >= last) {
    playing = false;
    button();
    say(`The newest step is ${last}`);
    return;
  }
  requestAnimationFrame(tick);
}

function jump(key) {
  if (key === "first") go(first);
  else if (key === "last") go(last);
  else go(Math.floor(at) + Number(key));
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea, summary");
  const far = event.shiftKey ? 10 : 1;
  const deeds = {
    " ": () => toggle(),
    ArrowLeft: () => go(Math.ceil(at) - far),
    ArrowRight: () => go(Math.floor(at) + far),
    Home: () => go(first),
    End: () => go(last),
  };
  const deed = deeds[event.key];
  // The slider has arrows of its own, and a button is pressed by a space.
  if (!deed || typing || (event.key === " " && event.target.closest("button, a"))) return;
  event.preventDefault();
  deed();
}

function begin() {
  document.getElementById("player").hidden = false;
  document.getElementById("keys").hidden = false;
  document.querySelector(".slider .plain").hidden = true;
  play.addEventListener("click", toggle);
  speed.addEventListener("change", () => playing && say(`Playing at ${speed.value}\u00d7`));
  slider.addEventListener("input", () => go(Number(slider.value)));
  slider.form.addEventListener("submit", (event) => event.preventDefault());
  document.querySelector(".jumps").addEventListener("click", (event) => {
    const link = event.target.closest("[data-go]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    jump(link.dataset.go);
  });
  document.addEventListener("keydown", press);
  new ResizeObserver(() => shown !== null && draw(at)).observe(chart);
  load(at).then(() => draw(at));
}

if (replay && chart) begin();
