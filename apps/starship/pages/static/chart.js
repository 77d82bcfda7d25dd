// The chart of the galaxy: enlarges and shifts it, keeps symbols of one size on the screen.

const SYMBOL_PIXELS = 7;
const ZOOM_MAX = 16;
const CLASSES = [1, 2, 4, 8, 16];

export const chart = document.getElementById("chart");
const side = Number(chart?.dataset.side ?? 1);
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether motion is to be drawn. */
export const moves = () => !still.matches;

let box = chart ? chart.getAttribute("viewBox").split(" ").map(Number) : [0, 0, 1, 1];

/** The size of a symbol in units. */
export function scale() {
  const pixels = chart.getBoundingClientRect().width || 800;
  return (box[2] / pixels) * SYMBOL_PIXELS;
}

function show(x, y, across) {
  across = Math.max(side / ZOOM_MAX, Math.min(side, across));
  x = Math.max(0, Math.min(side - across, x));
  y = Math.max(0, Math.min(side - across, y));
  box = [x, y, across, across];
  chart.setAttribute("viewBox", box.join(" "));
  const zoom = Math.max(...CLASSES.filter((known) => known <= side / across + 0.01));
  for (const known of CLASSES) chart.classList.toggle(`zoom-${known}`, known === zoom);
  const font = across * 0.019;
  for (const text of chart.querySelectorAll(".quadrant")) text.setAttribute("font-size", font);
  resize();
}

/** Give symbols their size, after the chart or its parts changed. */
export function resize() {
  const size = scale();
  for (const thing of chart.querySelectorAll("[transform*=scale]")) {
    const place = thing.getAttribute("transform").split(" scale(")[0];
    thing.setAttribute("transform", `${place} scale(${size.toFixed(2)})`);
  }
}

function zoomAt(x, y, times) {
  const across = Math.max(side / ZOOM_MAX, Math.min(side, box[2] / times));
  const part = across / box[2];
  show(x - (x - box[0]) * part, y - (y - box[1]) * part, across);
}

function middle() {
  return [box[0] + box[2] / 2, box[1] + box[3] / 2];
}

/** Do what a knob says: in, out, all, west, east, north, south. */
export function move(what) {
  const quarter = box[2] / 4;
  const shifts = { west: [-1, 0], east: [1, 0], north: [0, -1], south: [0, 1] };
  if (what === "in") zoomAt(...middle(), 2);
  else if (what === "out") zoomAt(...middle(), 0.5);
  else if (what === "all") show(0, 0, side);
  else if (shifts[what]) show(box[0] + shifts[what][0] * quarter, box[1] + shifts[what][1] * quarter, box[2]);
}

/** Show what is around a place, in units of the drawing. */
export function lookAt(x, y) {
  const across = side / 4;
  show(x - across / 2, y - across / 2, across);
}

function place(event) {
  const frame = chart.getBoundingClientRect();
  return [
    box[0] + ((event.clientX - frame.left) / frame.width) * box[2],
    box[1] + ((event.clientY - frame.top) / frame.height) * box[3],
  ];
}

function drag() {
  const fingers = new Map();
  let moved = 0;
  let spread = 0;
  chart.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    moved = 0;
    spread = 0;
  });
  window.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const unit = box[2] / chart.getBoundingClientRect().width;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 2) {
      const [one, other] = [...fingers.values()];
      const far = Math.hypot(one[0] - other[0], one[1] - other[1]);
      if (spread) zoomAt(...place({ clientX: (one[0] + other[0]) / 2, clientY: (one[1] + other[1]) / 2 }), far / spread);
      spread = far;
      return;
    }
    const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
    moved += Math.abs(dx) + Math.abs(dy);
    if (moved > 4) {
      chart.classList.add("held");
      show(box[0] - dx * unit, box[1] - dy * unit, box[2]);
    }
  });
  const end = (event) => {
    fingers.delete(event.pointerId);
    spread = 0;
    chart.classList.remove("held");
  };
  window.addEventListener("pointerup", end);
  window.addEventListener("pointercancel", end);
  // Who dragged did not mean the ship on which he let go.
  chart.addEventListener("click", (event) => moved > 4 && event.preventDefault(), true);
  chart.addEventListener("dragstart", (event) => event.preventDefault());
}

function listen() {
  chart.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoomAt(...place(event), event.deltaY < 0 ? 1.25 : 0.8);
    },
    { passive: false },
  );
  document.querySelector(".knobs")?.addEventListener("click", (event) => {
    const knob = event.target.closest("[data-do]");
    if (!knob || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    move(knob.dataset.do);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-at]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    lookAt(...link.dataset.at.split(" ").map(Number));
  });
  document.addEventListener("keydown", (event) => {
    // Only beside the chart: a key that acts anywhere is in the way of those who dictate.
    const near = event.target.closest(".board") && !event.target.closest("input, select");
    if (event.ctrlKey || event.metaKey || event.altKey || !near) return;
    if (event.key === "+" || event.key === "=") move("in");
    else if (event.key === "-") move("out");
  });
  new ResizeObserver(resize).observe(chart);
}

if (chart) {
  drag();
  listen();
}
