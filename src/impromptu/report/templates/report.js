"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const scenes = all("article.scene");
  const tools = document.querySelector("#tools");
  const chooser = document.querySelector("#scene");
  let here = -1;

  const go = (to) => {
    if (!scenes.length) return;
    here = Math.max(0, Math.min(scenes.length - 1, to));
    scenes.forEach((scene, k) => scene.classList.toggle("here", k === here));
    scenes[here].scrollIntoView({ block: "start" });
    scenes[here].focus({ preventScroll: true });
    chooser.value = String(here);
  };
  const fold = (open) => all("details").forEach((one) => { one.open = open; });

  const sort = (table, column, button) => {
    const falling = button.dataset.order === "up";
    all("thead button", table).forEach((one) => { delete one.dataset.order; one.parentElement.removeAttribute("aria-sort"); });
    button.dataset.order = falling ? "down" : "up";
    button.parentElement.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row, key(row), parseFloat(key(row))]);
    const numbers = rows.some(([, , number]) => !Number.isNaN(number));
    const sign = falling ? -1 : 1;
    rows.sort(([, a, x], [, b, y]) => {
      if (!numbers) return sign * a.localeCompare(b);
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y);
    });
    body.append(...rows.map(([row]) => row));
  };
  all("table.sortable").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      button.addEventListener("click", () => sort(table, column, button));
      cell.append(button);
    });
  });

  if (tools) tools.hidden = false;
  const on = (id, act) => document.querySelector(id)?.addEventListener("click", act);
  on("#next", () => go(here + 1));
  on("#previous", () => go(here - 1));
  on("#unfold", () => fold(true));
  on("#fold", () => fold(false));
  chooser?.addEventListener("change", () => go(Number(chooser.value)));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const act = { j: () => go(here + 1), k: () => go(here - 1), o: () => fold(true), c: () => fold(false) }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
})();
