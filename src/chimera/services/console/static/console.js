// The page's only script: takes the server's drawings as they come, lets ages tick, shows local time, and walks the
// two steps of a close. It computes nothing about money.
"use strict";

const SILENT_MS = 3000; // no word from the server for longer: what is shown may be wrong, and the page says so
const REOPEN_MS = 8000; // a stream that is silent this long is opened anew

let ages = JSON.parse(document.body.dataset.ages);
let heard = performance.now();
let heardAt = Date.now();
let stream = null;
let opened = 0;

// ── taking the server's drawings ──

function connect() {
  if (stream) stream.close();
  opened = performance.now();
  stream = new EventSource("/events");
  stream.addEventListener("update", (event) => {
    const update = JSON.parse(event.data);
    heard = performance.now();
    heardAt = Date.now();
    ages = update.ages;
    document.getElementById("seq").textContent = update.seq;
    for (const [name, html] of Object.entries(update.html)) draw(name, html);
    tick();
  });
}

function draw(name, html) {
  const there = document.querySelector(`[data-section="${name}"]`);
  const drawn = document.createElement("template");
  drawn.innerHTML = html;
  localise(drawn.content);
  fillAges(drawn.content);
  matchChildren(there, drawn.content);
  if (name === "bar") wear(there.querySelector("[data-mode]").dataset.mode);
}

// The whole page looks like the money it shows; S4 says whose that is, perhaps after the page was asked for.
function wear(mode) {
  document.documentElement.dataset.mode = mode;
  document.title = `${mode} · Chimera`;
}

// Change only what differs, so that focus, selection and opened details stay.
function match(there, wanted) {
  if (there.nodeType !== wanted.nodeType || there.nodeName !== wanted.nodeName) {
    there.replaceWith(document.importNode(wanted, true));
  } else if (there.nodeType !== Node.ELEMENT_NODE) {
    if (there.data !== wanted.data) there.data = wanted.data;
  } else {
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

function localise(root) {
  for (const shown of root.querySelectorAll("time[data-clock]")) {
    shown.textContent = new Date(shown.dateTime).toLocaleTimeString([], { hour12: false });
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

function fillAges(root) {
  const since = performance.now() - heard;
  for (const shown of root.querySelectorAll("[data-age]")) {
    const age = ages[shown.dataset.age];
    const words = age === null || age === undefined ? "never" : span(age + since);
    if (shown.textContent !== words) shown.textContent = words;
  }
}

function tick() {
  const silent = performance.now() - heard;
  fillAges(document);
  const dropped = document.getElementById("dropped");
  const isSilent = silent > SILENT_MS;
  if (isSilent) {
    const from = new Date(heardAt).toLocaleTimeString([], { hour12: false });
    const words = `▲ The event stream dropped. What you see is from ${from}, ${span(silent)} ago. Trying again…`;
    if (dropped.textContent !== words) dropped.textContent = words;
  }
  if (dropped.hidden === isSilent) {
    dropped.hidden = !isSilent;
    document.body.classList.toggle("dropped", isSilent);
  }
  const closed = stream.readyState === EventSource.CLOSED;
  if (performance.now() - opened > (closed ? 1000 : REOPEN_MS) && (closed || silent > REOPEN_MS)) connect();
}

// ── closing a position ──

const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");

async function ask(symbol, options) {
  try {
    const answer = await fetch(`/positions/${encodeURIComponent(symbol)}/close`, options);
    body.innerHTML = await answer.text();
    if (answer.redirected || !(answer.headers.get("content-type") || "").startsWith("text/html")) throw new Error();
  } catch {
    body.innerHTML = document.getElementById("no-answer").innerHTML;
  }
  if (!dialog.open) dialog.showModal();
  const first = body.querySelector("[autofocus]");
  if (first) first.focus();
}

async function signOut() {
  await fetch("/logout", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Chimera-Console": document.body.dataset.own },
    body: "{}",
  });
  location.replace("/login");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("signOut" in button.dataset) signOut();
  if (button.dataset.close) ask(button.dataset.close, {});
  if ("dismiss" in button.dataset) dialog.close();
});

document.addEventListener("input", (event) => {
  const expected = event.target.dataset.expected;
  if (!expected) return;
  const typed = event.target.value.trim().toUpperCase() === expected.toUpperCase();
  event.target.form.querySelector("[type=submit]").disabled = !typed;
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  form.querySelector("[type=submit]").disabled = true;
  ask(form.dataset.closeForm, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Chimera-Console": document.body.dataset.own },
    body: JSON.stringify({ confirm: form.elements.confirm.value, effect: form.dataset.effect }),
  });
});

localise(document);
connect();
setInterval(tick, 250);
