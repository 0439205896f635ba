// Messages are dragged to a folder: the one that is taken hold of, or all that are chosen if it is among
// them; with Ctrl (or Alt) held they are copied. The menu "Move or copy" does the same from the keyboard.
import { boxOf, chosen, root } from "./mail-page.js";

let taken = null; // ids, while they are dragged

export function isDragging() {
  return taken !== null;
}

// A row may stand for a conversation: "12-13-14".
function idsOf(rows) {
  return rows.flatMap((row) => boxOf(row).value.split("-"));
}

function folderUnder(event) {
  const folder = event.target.closest?.(".folders a[data-id]");
  return folder && folder.dataset.id !== root.dataset.mailbox ? folder : null;
}

function wantsCopy(event) {
  return event.ctrlKey || event.altKey;
}

// What goes along with the pointer.
function label(count) {
  const made = document.createElement("p");
  made.className = "dragged";
  made.textContent = count === 1 ? "1 message" : `${count} messages`;
  document.body.append(made);
  setTimeout(() => made.remove());
  return made;
}

function mark(folder) {
  for (const old of document.querySelectorAll(".folder.is-target")) old.classList.remove("is-target");
  folder?.classList.add("is-target");
}

function end() {
  taken = null;
  mark(null);
}

// `act(name, ids, target)` is told what was dropped where. What a folder is for goes along: junk is marked
// as junk, and what comes out of there to the inbox as no junk.
export function listenForDrags(act) {
  if (!root.dataset.account) return; // a page of several accounts has no folders to drop on
  const named = { archive: "archive", junk: "junk", trash: "trash" };
  document.addEventListener("pointerdown", (event) => {
    const row = event.target.closest?.(".rows > .row");
    if (row) row.draggable = true;
  });
  document.addEventListener("dragstart", (event) => {
    const row = event.target.closest?.(".rows > .row");
    if (!row) return;
    taken = idsOf(boxOf(row).checked ? chosen() : [row]);
    event.dataTransfer.effectAllowed = "copyMove";
    event.dataTransfer.setData("text/plain", row.querySelector(".row-subject").textContent.trim());
    event.dataTransfer.setDragImage(label(taken.length), -12, -12);
  });
  document.addEventListener("dragover", (event) => {
    const folder = taken && folderUnder(event);
    mark(folder);
    if (!folder) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = wantsCopy(event) ? "copy" : "move";
  });
  document.addEventListener("drop", (event) => {
    const folder = taken && folderUnder(event);
    const ids = taken;
    end();
    if (!folder) return;
    event.preventDefault();
    const current = document.querySelector('.folders [aria-current="page"]')?.dataset.role;
    const { role, id } = folder.dataset;
    const doomed = current === "trash" || current === "junk"; // trash is no move from there
    if (wantsCopy(event)) act("copy", ids, id);
    else if (current === "junk" && role === "inbox") act("not-junk", ids, null);
    else if (Object.hasOwn(named, role) && !(role === "trash" && doomed)) act(named[role], ids, null);
    else act("move", ids, id);
  });
  document.addEventListener("dragend", end);
}
