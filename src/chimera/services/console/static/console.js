// The page's only script: takes the server's drawings as they come, lets ages tick, shows local time, walks the two
// steps of an act, and listens to a few keys. It computes nothing about money and decides nothing.
"use strict";

const SILENT_MS = 3000; // no word from the server for longer: what is shown may be wrong, and the page says so
const REOPEN_MS = 8000; // a stream that is silent this long is opened anew
const root = document.documentElement;

let ages = JSON.parse(document.body.dataset.ages);
let seq = document.body.dataset.seq;
let heard = performance.now();
let heardAt = Date.now();
let ahead = 0; // ms by which the server's clock is ahead of ours
let stream = null;
let opened = 0;

// ── taking the server's drawings ──

function connect() {
  if (stream) stream.close();
  opened = performance.now();
  const { at } = document.body.dataset;
  stream = new EventSource(`/events?at=${encodeURIComponent(at)}&since=${seq}`);
  stream.addEventListener("update", (event) => take(JSON.parse(event.data)));
}

function take(update) {
  heard = performance.now();
  heardAt = Date.now();
  ahead = update.now_ms - heardAt;
  ages = update.ages;
  seq = update.seq;
  document.getElementById("seq").textContent = seq % 1000000;
  for (const [name, html] of Object.entries(update.html)) draw(name, html);
  for (const [name, { text, tone }] of Object.entries(update.badges)) {
    const badge = document.querySelector(`[data-badge="${name}"]`);
    if (!badge) continue;
    badge.textContent = text;
    badge.className = `badge ${tone}`;
  }
  tick();
}

function draw(name, html) {
  const there = document.querySelector(`[data-section="${name}"]`);
  const drawn = document.createElement("template");
  drawn.innerHTML = html;
  localise(drawn.content);
  fillAges(drawn.content);
  matchChildren(there, drawn.content);
  if (name === "bar") {
    wear(there.querySelector("[data-mode]").dataset.mode);
    measure();
  }
}

// The whole page looks like the money it shows; S4 says whose that is, perhaps after the page was asked for.
function wear(mode) {
  root.dataset.mode = mode;
  document.title = `${mode} · ${document.body.dataset.title} · Chimera`;
}

// Change only what differs, so that focus, selection and opened details stay.
function match(there, wanted) {
  if (there.nodeType !== wanted.nodeType || there.nodeName !== wanted.nodeName) {
    there.replaceWith(document.importNode(wanted, true));
  } else if (there.nodeType !== Node.ELEMENT_NODE) {
    if (there.data !== wanted.data) there.data = wanted.data;
  } else if (!there.matches("[data-keep]")) {
    for (const { name, value } of wanted.attributes) {
      if (there.getAttribute(name) !== value) there.setAttribute(name, value);
    }
    for (const { name } of [...there.attributes]) {
      if (!wanted.hasAttribute(name) && !(name === "open" && there.nodeName === "DETAILS")) there.removeAttribute(name);
    }
    matchChildren(there, wanted);
  }
}

function matchChildren(there, wanted) {
  const old = [...there.childNodes];
  const now = [...wanted.childNodes];
  now.forEach((node, at) => (at < old.length ? match(old[at], node) : there.append(document.importNode(node, true))));
  old.slice(now.length).forEach((node) => node.remove());
}

// ── time ──

function localise(within) {
  for (const shown of within.querySelectorAll("time[data-clock]")) {
    shown.textContent = new Date(shown.dateTime).toLocaleTimeString([], { hour12: false });
  }
  for (const shown of within.querySelectorAll("time[data-hour]")) {
    shown.textContent = String(new Date(shown.dateTime).getHours()).padStart(2, "0");
  }
}

function span(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 10000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function fillAges(within) {
  const since = performance.now() - heard;
  for (const shown of within.querySelectorAll("[data-age]")) {
    const age = ages[shown.dataset.age];
    say(shown, age === null || age === undefined ? "never" : span(age + since));
  }
  for (const shown of within.querySelectorAll("time[data-since]")) {
    say(shown, span(Math.max(0, Date.now() + ahead - Date.parse(shown.dateTime))));
  }
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function tick() {
  const silent = performance.now() - heard;
  fillAges(document);
  const dropped = document.getElementById("dropped");
  const isSilent = silent > SILENT_MS;
  if (isSilent) {
    const from = new Date(heardAt).toLocaleTimeString([], { hour12: false });
    say(dropped, `▲ The event stream dropped. What you see is from ${from}, ${span(silent)} ago. Trying again…`);
  }
  if (dropped.hidden === isSilent) {
    dropped.hidden = !isSilent;
    document.body.classList.toggle("dropped", isSilent);
    measure();
  }
  const closed = stream.readyState === EventSource.CLOSED;
  if (performance.now() - opened > (closed ? 1000 : REOPEN_MS) && (closed || silent > REOPEN_MS)) connect();
}

// The rail stands below the bar, however high that is just now.
function measure() {
  const high = document.querySelector(".top").offsetHeight;
  root.style.setProperty("--top", `${high}px`);
}

// ── acting: the effect first, then exactly that ──

const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");

function show(html) {
  body.innerHTML = html;
  localise(body);
  if (!dialog.open) dialog.showModal();
  const first = body.querySelector("[autofocus]");
  if (first) first.focus();
}

async function ask(path, options) {
  try {
    const answer = await fetch(path, options);
    const kind = answer.headers.get("content-type") || "";
    if (answer.status === 401) location.replace("/login");
    if (kind.startsWith("application/json")) return show(refused(await answer.json()));
    if (answer.redirected || !kind.startsWith("text/html")) throw new Error();
    show(await answer.text());
  } catch {
    show(document.getElementById("no-answer").innerHTML);
  }
}

function refused({ code, message }) {
  const drawn = document.createElement("template");
  drawn.innerHTML = document.getElementById("no-answer").innerHTML;
  drawn.content.querySelector("h2").textContent = "Nothing was done";
  drawn.content.querySelector("p").textContent = `${code}: ${message}`;
  return drawn.innerHTML;
}

function change(path, given) {
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Chimera-Console": document.body.dataset.own },
    body: JSON.stringify(given),
  });
}

function confirmed(form) {
  const fields = {};
  for (const field of form.querySelectorAll("[data-field]")) {
    fields[field.name] = field.type === "checkbox" ? String(field.checked) : field.value;
  }
  return change(`/acts/${form.dataset.actForm}`, {
    about: Object.fromEntries(new URLSearchParams(form.dataset.about)),
    confirm: form.elements.confirm ? form.elements.confirm.value : "",
    effect: form.dataset.effect,
    fields,
  });
}

async function signOut() {
  await fetch("/logout", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Chimera-Console": document.body.dataset.own },
    body: "{}",
  });
  location.replace("/login");
}

// ── small conveniences ──

const toast = document.getElementById("said");
let toasted = 0;

function tell(words) {
  toast.textContent = words;
  toast.hidden = false;
  clearTimeout(toasted);
  toasted = setTimeout(() => (toast.hidden = true), 2500);
}

async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    tell("Copied");
  } catch {
    tell(words); // no clipboard over plain HTTP from afar: shown, to be copied by hand
  }
}

const THEMES = ["", "light", "dark"];

function nextTheme() {
  const next = THEMES[(THEMES.indexOf(root.dataset.theme || "") + 1) % THEMES.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  document.cookie = `chimera_theme=${next}; path=/; max-age=31536000; samesite=strict`;
  tell(next ? `Colours: ${next}` : "Colours as the system has them");
}

function toggleRail(open) {
  const rail = document.querySelector(".rail");
  rail.classList.toggle("open", open);
  rail.querySelector("[data-more]").setAttribute("aria-expanded", rail.classList.contains("open"));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { act, about, copy: words } = button.dataset;
  if (act) ask(`/acts/${act}?${new URLSearchParams(Object.fromEntries(new URLSearchParams(about)))}`, {});
  if (words) copy(words);
  if ("signOut" in button.dataset) signOut();
  if ("dismiss" in button.dataset) dialog.close();
  if ("themeNext" in button.dataset) nextTheme();
  if ("keys" in button.dataset) show(document.getElementById("keys").innerHTML);
  if ("more" in button.dataset) toggleRail();
});

document.addEventListener("input", (event) => {
  const expected = event.target.dataset.expected;
  if (!expected) return;
  const typed = event.target.value.trim().toUpperCase() === expected.toUpperCase();
  event.target.form.querySelector("[type=submit]").disabled = !typed;
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.actForm) return;
  event.preventDefault();
  form.querySelector("[type=submit]").disabled = true;
  confirmed(form);
});

// ── keys: g and a letter go to a screen, / finds, ? lists them ──

let going = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
  if (event.key === "Escape") toggleRail(false);
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (performance.now() < going) {
    going = 0;
    const link = document.querySelector(`.rail a[data-key="${CSS.escape(event.key)}"]`);
    if (link) location.assign(link.href);
    return;
  }
  if (event.key === "g") going = performance.now() + 1500;
  if (event.key === "t") nextTheme();
  if (event.key === "?") show(document.getElementById("keys").innerHTML);
  if (event.key === "/") {
    event.preventDefault();
    if (getComputedStyle(document.querySelector(".find")).display === "none") toggleRail(true);
    document.getElementById("find").focus();
  }
});

localise(document);
measure();
connect();
addEventListener("resize", measure);
setInterval(tick, 250);
