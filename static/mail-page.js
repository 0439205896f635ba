// What stands on the page: rows, their state, the notice; and how it is drawn anew from our own pages.

export const root = document.querySelector(".mail, [data-mail]");
const notices = document.querySelector(".notices");
const noticeFor = 20000; // milliseconds; an undo is promised for ten seconds at least

export function rowOf(id) {
  return document.getElementById(`m${id}`);
}

export function rows() {
  return [...document.querySelectorAll(".rows > .row")];
}

// What the keys go through: the rows of a list, or the messages of a conversation.
export function stops() {
  return [...document.querySelectorAll(".rows > .row, .conversation > li")];
}

export function idOf(row) {
  return row.id.slice(1);
}

export function boxOf(row) {
  return row.querySelector(".row-pick input");
}

export function chosen() {
  return rows().filter((row) => boxOf(row).checked);
}

// --- marks -------------------------------------------------------------------------------------

export function markUnread(row, isUnread) {
  row.classList.toggle("is-unread", isUnread);
  const name = row.querySelector(".row-name");
  name.querySelector(".unseen")?.remove();
  if (!isUnread) return;
  const word = document.createElement("span");
  word.className = "unseen";
  word.textContent = "Unread, ";
  name.prepend(word);
}

export function isStarred(button) {
  return button.value.startsWith("unstar");
}

export function markStarred(button, isStarred) {
  if (!button) return;
  const [, id] = button.value.split(".");
  button.value = (isStarred ? "unstar" : "star") + (id ? `.${id}` : "");
  button.title = isStarred ? "Starred" : "Star";
  button.setAttribute("aria-label", isStarred ? "Starred: take the star away" : "Star");
  button.querySelector(".icon").classList.toggle("is-star", isStarred);
}

// Takes rows away; returns a function that puts them back where they were.
export function takeAway(gone) {
  const places = gone.map((row) => [row, row.parentNode, row.nextSibling]);
  const focused = gone.find((row) => row.contains(document.activeElement));
  const next = focused && neighbour(gone);
  for (const row of gone) row.remove();
  next?.querySelector("a").focus({ preventScroll: true });
  return () => {
    for (const [row, parent, before] of places.reverse())
      parent.insertBefore(row, before?.parentNode === parent ? before : null);
  };
}

function neighbour(gone) {
  const all = rows();
  const last = all.indexOf(gone[gone.length - 1]);
  const stays = (row) => !gone.includes(row);
  return all.slice(last + 1).find(stays) ?? all.slice(0, last).reverse().find(stays);
}

// --- the notice --------------------------------------------------------------------------------

let timer = 0;

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

function closeButton() {
  const button = element("button", "icon-button");
  const original = document.querySelector("[data-icon-close] .icon");
  button.type = "button";
  button.setAttribute("aria-label", "Close this notice");
  if (original) button.append(original.cloneNode(true));
  button.addEventListener("click", clearNotice);
  return button;
}

export function clearNotice() {
  clearTimeout(timer);
  notices.replaceChildren();
}

// `undo`: what the button does; null: there is no way back.
export function tell(text, { undo = null, isBad = false } = {}) {
  clearTimeout(timer);
  const notice = element("div", isBad ? "notice is-bad" : "notice");
  notice.append(element("p", "", text));
  if (undo) {
    const button = element("button", "button is-quiet", "Undo");
    button.type = "button";
    button.addEventListener("click", undo);
    notice.append(button);
  }
  notice.append(closeButton());
  notices.replaceChildren(notice);
  if (!isBad) timer = setTimeout(clearNotice, noticeFor);
}

// What the service wrote into the page goes by itself, too, and is not told again after a reload.
export function adoptNotice() {
  const url = new URL(location.href);
  if (!url.searchParams.has("done") && !url.searchParams.has("said")) return;
  url.searchParams.delete("done");
  url.searchParams.delete("said");
  history.replaceState(history.state, "", url);
  if (!notices.querySelector(".is-bad")) timer = setTimeout(clearNotice, noticeFor);
}

// --- drawing anew ------------------------------------------------------------------------------

// The browser makes the document itself: no string becomes markup here (Trusted Types).
function load(url) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.onload = () => resolve(request.status === 200 ? request.response : null);
    request.onerror = () => resolve(null);
    request.send();
  });
}

const parts = [".pane-title > p", ".side-scroll", ".list-body", ".list-news"];

function put(part, fresh) {
  const old = document.querySelector(part);
  const made = fresh.querySelector(part);
  if (!old || !made || old.isEqualNode(made)) return;
  const top = old.scrollTop;
  old.replaceWith(document.importNode(made, true));
  document.querySelector(part).scrollTop = top;
}

// Where the focus is, to be found again in another row of the same message.
function focusPath() {
  const row = document.activeElement?.closest(".row");
  if (!row) return null;
  return [idOf(row), [...row.querySelectorAll("a, button, input")].indexOf(document.activeElement)];
}

// A conversation's messages come, change and go; the open one, which somebody reads, stays as it is.
function drawConversation(fresh) {
  const made = [...fresh.querySelectorAll(".conversation > li")];
  let before = null;
  for (const each of made) {
    const old = document.getElementById(each.id);
    const isKept = old && (old.querySelector("article") || old.isEqualNode(each));
    const item = isKept ? old : document.importNode(each, true);
    if (before && !old) before.after(item);
    else if (!old) document.querySelector(".conversation").prepend(item);
    else if (!isKept) putInPlace(old, item);
    before = item;
  }
  for (const old of document.querySelectorAll(".conversation > li"))
    if (!fresh.getElementById(old.id) && !old.querySelector("article")) old.remove();
}

function putInPlace(old, item) {
  const hasFocus = old.contains(document.activeElement);
  old.replaceWith(item);
  if (hasFocus) item.querySelector("a").focus({ preventScroll: true });
}

export async function drawAnew() {
  const fresh = await load(root.dataset.fresh ?? root.dataset.list);
  if (fresh?.querySelector(".conversation")) return drawConversation(fresh);
  if (!fresh?.querySelector(".list-body")) return;
  const checked = new Set(chosen().map(idOf));
  const focus = focusPath();
  const open = root.dataset.open;
  const current = fresh.getElementById(`m${open}`);
  if (open && current) {
    current.classList.add("is-current");
    current.querySelector("a").setAttribute("aria-current", "true");
  }
  for (const part of parts) put(part, fresh);
  for (const row of rows()) boxOf(row).checked = checked.has(idOf(row));
  if (focus) {
    const fields = rowOf(focus[0])?.querySelectorAll("a, button, input");
    fields?.[focus[1]]?.focus({ preventScroll: true });
  }
  document.title = fresh.title.length && !open ? fresh.title : document.title;
}
