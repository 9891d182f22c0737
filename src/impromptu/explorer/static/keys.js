"use strict";
// Keys of the explorer. Without this file every page still works with mouse and Tab.

const find = (selector) => document.querySelector(selector);
const follow = (selector) => find(selector)?.click();

function step(by) {
  const rows = [...document.querySelectorAll("a.row")];
  if (!rows.length) return follow(by > 0 ? "a[rel=next]" : "a[rel=prev]");
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  rows[Math.min(Math.max(next, 0), rows.length - 1)].focus();
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  n: () => follow("a[rel=next]"),
  p: () => follow("a[rel=prev]"),
  u: () => follow("a.list"),
  "/": () => find("input[type=search]") ? find("input[type=search]").select() : follow("a.list"),
  "?": () => find("#help").showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

find("#filters")?.addEventListener("change", (event) => event.currentTarget.submit());
