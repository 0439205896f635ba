// Keys. A table of what each does; "?" shows it. They can be switched off (WCAG 2.1.4).
import { boxOf, chosen, clearNotice, root, rowOf, stops } from "./mail-page.js";

const dialog = document.getElementById("keys");
const setting = document.getElementById("keys-on");
const store = "restante.keys";

const ofConversation = document.querySelector(".for-conversation");

function focusedRow() {
  return document.activeElement?.closest(".row, .conversation > li") ?? rowOf(root.dataset.open);
}

function step(by) {
  const link = document.querySelector(`.reader a[data-key="${by > 0 ? "j" : "k"}"]`);
  if (root.dataset.open && !ofConversation) return link?.click();
  const all = stops();
  const at = all.indexOf(focusedRow());
  const row = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
  const fold = row?.closest("details");
  if (fold) fold.open = true;
  row?.querySelector("article, a").focus();
}

function choose() {
  const row = focusedRow();
  if (row) boxOf(row).click();
}

let before = null; // what had the focus when a key opened a menu

// Whether any was open; the focus goes back to where it was.
function closeMenus() {
  const open = [...document.querySelectorAll("details.menu[open]")];
  const isWithin = open.some((menu) => menu.contains(document.activeElement));
  for (const menu of open) menu.open = false;
  if (isWithin) (before?.isConnected ? before : open[0].querySelector("summary")).focus();
  before = null;
  return open.length > 0;
}

function clear() {
  if (closeMenus()) return;
  clearNotice();
  for (const row of chosen()) boxOf(row).click();
}

// The buttons that are meant: for what is chosen, the open message, or the whole conversation.
function bar() {
  const isForOpen = root.dataset.open && !chosen().length;
  return ofConversation ?? document.querySelector(isForOpen ? ".actions" : ".bulk");
}

// A button of the page that does it, if it is there.
function press(...keys) {
  for (const key of keys) {
    const button = bar()?.querySelector(`button[value="${key}"]`);
    if (button) return button.click();
  }
}

// What is chosen, or the row that has the focus, or the open message.
function onMessages(...verbs) {
  return () => {
    if (!chosen().length && !root.dataset.open) {
      const row = document.activeElement?.closest(".row");
      if (!row) return;
      boxOf(row).checked = true;
    }
    press(...verbs);
  };
}

function openMenu(name) {
  return () => {
    const menu = bar()?.querySelector(`details[data-menu="${name}"]`);
    if (!menu) return;
    before = document.activeElement;
    for (let outer = menu; outer; outer = outer.parentElement.closest("details")) outer.open = true;
    menu.querySelector("select, a")?.focus();
  };
}

function star() {
  const row = focusedRow();
  const open = document.querySelector('.actions button[value$="star"]');
  (root.dataset.open ? open : row?.querySelector(".row-star"))?.click();
}

function search() {
  const field = document.getElementById("list-search");
  if (field) field.focus();
  else if (ofConversation) location.assign("/search");
}

function follow(key) {
  return () => document.querySelector(`[data-key="${key}"]`)?.click();
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  o: () => focusedRow()?.querySelector(".row > a, a.folded")?.click(),
  u: () => root.dataset.open && location.assign(root.dataset.list + `#m${root.dataset.open}`),
  x: choose,
  s: star,
  e: onMessages("archive"),
  "#": onMessages("trash", "destroy"),
  "!": onMessages("junk", "not-junk"),
  I: onMessages("read"),
  U: onMessages("unread"),
  l: openMenu("labels"),
  v: openMenu("move"),
  r: follow("r"),
  a: follow("a"),
  f: follow("f"),
  c: follow("c"),
  "/": search,
  "?": () => dialog?.showModal(),
  Escape: clear,
};

function isTyping(target) {
  return target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog");
}

function areOn() {
  return localStorage.getItem(store) !== "off";
}

export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    const act = Object.hasOwn(keys, event.key) && keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const isOut = event.key === "Escape" && event.target.closest("details.menu");
    if ((isTyping(event.target) && !isOut) || (!areOn() && event.key !== "Escape")) return;
    event.preventDefault();
    act();
  });
  for (const opener of document.querySelectorAll("[data-keys-help]")) {
    opener.hidden = false;
    opener.addEventListener("click", () => dialog.showModal());
  }
  if (!setting) return;
  setting.checked = areOn();
  setting.addEventListener("change", () =>
    localStorage.setItem(store, setting.checked ? "on" : "off"),
  );
}

