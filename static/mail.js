// Mail without page loads: actions are seen at once and put back when they fail, new mail appears by
// itself, keys do what buttons do. Everything here works without this module, by forms and links.
import { Api } from "./mail-api.js";
import { isDragging, listenForDrags } from "./mail-drag.js";
import { listenForKeys } from "./mail-keys.js";
import {
  adoptNotice,
  boxOf,
  chosen,
  drawAnew,
  idOf,
  markStarred,
  markUnread,
  root,
  rowOf,
  rows,
  takeAway,
  tell,
} from "./mail-page.js";

const api = new Api(root.dataset.account, root.dataset.csrf);
const lookEvery = 20000; // milliseconds, while the page is in sight and events are not to be had

// --- actions -----------------------------------------------------------------------------------

// How each button's verb is asked for, and what is told. What is not here is the form's own business:
// deleting for good, which is asked about first.
const verbs = {
  read: { keywords: { $seen: true }, words: "marked as read" },
  unread: { keywords: { $seen: false }, words: "marked as unread", isLeaving: true },
  star: { keywords: { $flagged: true }, words: "starred" },
  unstar: { keywords: { $flagged: false }, words: "no longer starred" },
  archive: { role: "archive", words: "archived" },
  junk: { role: "junk", keywords: { $junk: true, $notjunk: false }, words: "moved to Junk" },
  "not-junk": { role: "inbox", keywords: { $junk: false, $notjunk: true }, words: "moved to Inbox" },
  trash: { action: "trash", words: "moved to Trash" },
  move: { words: "moved" },
  copy: { action: "copy", words: "copied" },
  label: { isOn: true, words: "labelled" },
  unlabel: { isOn: false, words: "without the label now" },
};

function folderOf(role) {
  return document.querySelector(`.folders [data-role="${role}"]`)?.dataset.id;
}

function nameOf(folder) {
  const name = folder && document.querySelector(`.folders [data-id="${folder}"] .folder-name`);
  return name ? ` to ${name.textContent}` : "";
}

function count(number) {
  return number === 1 ? "1 message" : `${number.toLocaleString("en")} messages`;
}

function isLabel(name) {
  return "isOn" in verbs[name];
}

// A label's own keyword, and those that it had: to be taken off, too.
function keywordsOf(name, form) {
  const words = form.querySelector("select[name=label]")?.selectedOptions[0].dataset.keywords;
  const few = words?.split(" ").slice(0, name === "label" ? 1 : undefined);
  return few && Object.fromEntries(few.map((word) => [word, verbs[name].isOn]));
}

// Shows what will be; returns how to put it back.
function show(name, ids) {
  const here = ids.map(rowOf).filter(Boolean);
  if (name === "read" || name === "unread") {
    const were = here.map((row) => row.classList.contains("is-unread"));
    here.forEach((row) => markUnread(row, name === "unread"));
    return () => here.forEach((row, n) => markUnread(row, were[n]));
  }
  if (name === "star" || name === "unstar") {
    const buttons = here.map((row) => row.querySelector(".row-star"));
    if (ids.includes(root.dataset.open))
      buttons.push(document.querySelector('.actions button[value$="star"]'));
    const were = buttons.map((button) => button.value.startsWith("unstar"));
    buttons.forEach((button) => markStarred(button, name === "star"));
    return () => buttons.forEach((button, n) => markStarred(button, were[n]));
  }
  return name === "copy" || isLabel(name) ? () => {} : takeAway(here);
}

async function ask(name, ids, target, keywords) {
  const verb = verbs[name];
  const to = verb.role ? folderOf(verb.role) : target;
  const asked = [];
  if (keywords) asked.push({ action: "keywords", emailIds: ids, keywords });
  if (!keywords || verb.role) {
    const action = verb.action ?? "move";
    const where = { mailboxId: root.dataset.mailbox };
    asked.push({ action, emailIds: ids, ...where, ...(action === "trash" ? {} : { toId: to }) });
  }
  const operations = [];
  for (const action of asked) operations.push(...(await api.act(action)).operations);
  return operations;
}

function leavesOpen(name, ids) {
  const isMoved = !verbs[name].keywords || verbs[name].role || verbs[name].isLeaving;
  return isMoved && name !== "copy" && !isLabel(name) && ids.includes(root.dataset.open);
}

async function act(name, ids, target, keywords = verbs[name].keywords) {
  const putBack = show(name, ids);
  chosen().forEach((row) => (boxOf(row).checked = false));
  closeMenus();
  tellCount();
  try {
    const operations = await ask(name, ids, target, keywords);
    if (leavesOpen(name, ids)) {
      const place = new URL(root.dataset.list, location.href);
      if (operations.length) place.searchParams.set("done", operations.join("-"));
      location.assign(place);
      return;
    }
    const undo = operations.length ? () => takeBack(operations) : null;
    tell(`${count(ids.length)} ${verbs[name].words}${nameOf(target)}.`, { undo });
  } catch (problem) {
    putBack();
    tell(`${problem.message} ${problem.hint ?? ""}`, { isBad: true });
  }
  drawSoon();
}

async function takeBack(operations) {
  try {
    await api.undo(operations);
    tell("Taken back.");
  } catch (problem) {
    tell(problem.message, { isBad: true });
  }
  await drawAnew();
  const star = document.querySelector('.actions button[value$="star"]');
  const row = rowOf(root.dataset.open);
  if (star && row) markStarred(star, row.querySelector(".row-star").value.startsWith("unstar"));
}

function onSubmit(event) {
  const form = event.target;
  if (!form.matches(".list-form, .actions") || !root.dataset.account) return;
  const [name, id] = (event.submitter?.value ?? "").split(".");
  if (!Object.hasOwn(verbs, name)) return;
  const asks = new FormData(form);
  if (asks.has("all") && !id) return; // all of the folder: the service's own business
  // a row may stand for a conversation: "12-13-14"
  const ids = id ? [id] : asks.getAll("email").flatMap((each) => each.split("-"));
  const target = name === "move" || name === "copy" ? asks.get("target") : null;
  const isLost = verbs[name].role && !folderOf(verbs[name].role);
  if (isLost) return; // the service says why
  if (isLabel(name) && ids.includes(root.dataset.open)) return; // its head is drawn anew, too
  event.preventDefault();
  if (!ids.length) return tell("Choose one or more messages first.", { isBad: true });
  if ((name === "move" || name === "copy") && !target)
    return tell("Choose the folder that they shall go to.", { isBad: true });
  if (!isLabel(name)) return act(name, ids, target);
  const keywords = keywordsOf(name, form);
  if (!keywords) return tell("Choose a label first.", { isBad: true });
  act(name, ids, null, keywords);
}

// --- choosing ----------------------------------------------------------------------------------

let last = null; // the row whose box was clicked last

function tellCount() {
  const number = chosen().length;
  const place = document.querySelector(".bulk-number");
  if (place) place.textContent = number;
  const all = document.querySelector(".bulk-all");
  if (all) all.checked = number > 0 && number === rows().length;
}

function onClick(event) {
  const box = event.target.closest(".row-pick input");
  if (event.target.matches(".bulk-all")) {
    for (const row of rows()) boxOf(row).checked = event.target.checked;
  } else if (box) {
    const row = box.closest(".row");
    if (event.shiftKey && last?.isConnected) choosePart(last, row, box.checked);
    last = row;
  } else {
    closeMenus(event.target);
    return;
  }
  tellCount();
}

// All but those around `place`.
function closeMenus(place = null) {
  for (const menu of document.querySelectorAll("details.menu[open]"))
    if (!menu.contains(place)) menu.open = false;
}

function choosePart(from, to, isChosen) {
  const all = rows();
  const [low, high] = [all.indexOf(from), all.indexOf(to)].sort((a, b) => a - b);
  for (const row of all.slice(low, high + 1)) boxOf(row).checked = isChosen;
}

// --- news --------------------------------------------------------------------------------------

let state = root.dataset.state;
let drawing = 0;

function drawSoon() {
  clearTimeout(drawing);
  drawing = setTimeout(() => {
    if (isDragging()) return drawSoon(); // what is in somebody's hand stays where it is
    drawAnew().then(tellCount);
  }, 150);
}

// A page of several accounts has no one state: it is drawn anew now and then.
async function look() {
  if (!root.dataset.account) return chosen().length || drawSoon();
  try {
    const news = await api.changes(state);
    if (news.changes.length) drawSoon();
    state = String(news.newState);
  } catch (problem) {
    if (problem.status === 409) location.reload(); // too much has changed to be told
    if (problem.status === 401) location.reload(); // the service asks to sign in, and leads back here
  }
}

// Events while the page is in sight: browsers open only few connections to one place, and each
// stream holds one. What is missed meanwhile is asked for on the way back.
let events = null;
let looking = 0;

function listen() {
  if (document.visibilityState !== "visible") return;
  if (root.dataset.account) look();
  if (!root.dataset.events) return lookNowAndThen();
  events = new EventSource(root.dataset.events);
  events.addEventListener("change", (event) => {
    state = event.lastEventId;
    drawSoon();
  });
  events.addEventListener("reset", () => location.reload());
  events.addEventListener("error", () => {
    if (events?.readyState === EventSource.CLOSED) lookNowAndThen();
  });
}

function lookNowAndThen() {
  clearInterval(looking);
  looking = setInterval(look, lookEvery);
}

function stopListening() {
  clearInterval(looking);
  events?.close();
  events = null;
}

document.addEventListener("submit", onSubmit);
document.addEventListener("click", onClick);
for (const shy of document.querySelectorAll("[data-with-script]")) shy.hidden = false;
for (const zone of document.querySelectorAll('input[name="zone"]'))
  zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
tellCount(); // browsers keep boxes checked over a reload
adoptNotice();
listenForKeys();
listenForDrags(act);
document.addEventListener("visibilitychange", () => {
  stopListening();
  listen();
});
addEventListener("pagehide", stopListening);
addEventListener("pageshow", (event) => event.persisted && listen());
listen();
