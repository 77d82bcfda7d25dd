// The map after each step: what is on it goes from its old place to its new one.

import { chart, moves, resize, scale } from "./chart.js";
import { keepUp } from "./live.js";

const GLIDE_MS = 1200;
let glides = 0;

function places(things) {
  const found = new Map();
  for (const thing of things?.querySelectorAll("[data-name]") ?? []) {
    found.set(thing.dataset.name, [Number(thing.dataset.x), Number(thing.dataset.y)]);
  }
  return found;
}

function glide(before) {
  const turn = ++glides;
  const moved = [];
  for (const thing of chart.querySelectorAll("[data-name]")) {
    const from = before.get(thing.dataset.name);
    const to = [Number(thing.dataset.x), Number(thing.dataset.y)];
    if (from && (from[0] !== to[0] || from[1] !== to[1])) moved.push([thing, from, to]);
  }
  const began = performance.now();
  const frame = (now) => {
    if (turn !== glides) return;
    const part = Math.min(1, Math.max(0, (now - began) / GLIDE_MS));
    const size = scale().toFixed(2);
    for (const [thing, from, to] of moved) {
      const x = from[0] + (to[0] - from[0]) * part;
      const y = from[1] + (to[1] - from[1]) * part;
      thing.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})`);
    }
    if (part < 1) requestAnimationFrame(frame);
  };
  if (moved.length) requestAnimationFrame(frame);
}

if (chart) {
  resize();
  keepUp((old) => {
    resize();
    const things = old.get("things");
    if (things && moves()) glide(places(things));
  });
}
