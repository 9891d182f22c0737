"use strict";
// Keys of the review, and the next item without a reload. Forms and links work without this file.

const find = (selector) => document.querySelector(selector);
const click = (selector) => find(selector)?.click();
let busy = false;

async function show(address, sent) {
  if (busy) return;
  busy = true;
  try {
    const reply = await fetch(address, sent);
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const fresh = page.querySelector("#page");
    if (!fresh) return trouble("The server was started anew: open the address that it printed.");
    document.title = page.title;
    find("#page").replaceWith(fresh);
    if (reply.url !== location.href) history.pushState(null, "", reply.url);
    find("#trouble").hidden = true;
    ready();
  } catch {
    trouble("Not stored: the server does not answer. What you wrote is still here.");
  } finally {
    busy = false;
  }
}

function trouble(text) {
  find("#trouble").textContent = text;
  find("#trouble").hidden = false;
}

function ready() {
  tell();
  scrollTo(0, 0);
  for (const address of find("#main").dataset.ahead?.split(" ") ?? []) {
    if (address) new Image().src = address;
  }
}

// Says what saving will do: accept what the teacher said, or edit it.
function tell() {
  const verb = find(".verb");
  if (!verb || verb.textContent === "Save") return;
  const text = find("textarea");
  const same = text
    ? text.value.trim() === text.dataset.told
    : [...document.querySelectorAll("[name=value]")].every((one) => one.checked === ("told" in one.dataset));
  verb.textContent = same ? "Accept" : "Keep edit";
}

function choose(number) {
  const all = [...document.querySelectorAll(".choice input")];
  (number ? all[number - 1] : all.find((one) => one.value === "standard"))?.click();
}

const keys = {
  a: () => click(".save"),
  Enter: () => click(".save"),
  r: () => click("[value=reject]"),
  s: () => click("[value=skip]"),
  u: () => click("[value=undo]"),
  j: () => click("a[rel=next]"),
  k: () => click("a[rel=prev]"),
  ArrowRight: () => click("a[rel=next]"),
  ArrowLeft: () => click("a[rel=prev]"),
  o: () => click("a.open"),
  e: () => find("textarea, .choice input")?.focus(),
  t: () => document.body.classList.toggle("no-path"),
  "?": () => find("#help").showModal(),
};
for (const number of "01234") keys[number] = () => choose(Number(number));

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("textarea, dialog");
  if (event.key === "Escape" && writing) event.target.blur();
  if (event.key === "Enter" && event.ctrlKey && writing) return click(".save");
  // A key that is held must not decide one item after the other.
  if (writing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!(event.key in keys) || (event.key === "Enter" && event.target.closest("a, button"))) return;
  event.preventDefault();
  keys[event.key]();
});

document.addEventListener("change", (event) => {
  if (event.target.type === "checkbox" && event.target.checked) {
    const standard = event.target.value === "standard";
    for (const one of document.querySelectorAll("[type=checkbox]")) {
      if ((one.value === "standard") !== standard) one.checked = false;
    }
  }
  tell();
});
document.addEventListener("input", tell);

document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  event.preventDefault();
  const form = new URLSearchParams(new FormData(event.target, event.submitter));
  show(event.target.action, { method: "POST", body: form });
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const here = link && !link.target && link.origin === location.origin && !link.hash;
  if (!here || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  show(link.href);
});

addEventListener("popstate", () => show(location.href));
ready();
