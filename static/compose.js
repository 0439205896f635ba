// What a script adds to the form in which mail is written: it saves by itself, takes files by drop
// and paste with progress, and completes addresses. Without it the same form does the same work.
const form = document.getElementById("compose");
const state = document.getElementById("compose-state");
const token = form.elements.csrf.value;
const base = `/api/v1/accounts/${form.dataset.account}`;
const AUTOSAVE_MS = 3000;
const KEEPALIVE_MAX = 60000; // bytes that a browser still sends when the page is gone

// crypto.randomUUID is not there where the page came without TLS.
function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
form.randomId = randomId;

let draft = form.dataset.draft;
const key = randomId(); // of this draft: it is made once
let first = null; // what it is to be made of; asked again it has to be the same
let isDirty = false;
let isLeaving = false;
let isBehind = false; // the draft was changed elsewhere, and nobody has said yet what is to be done
let saving = Promise.resolve();

const say = (words) => { state.textContent = words; };

async function call(method, path, body, more = {}) {
  const headers = { "X-CSRF-Token": token, ...more };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(base + path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body),
    keepalive: document.visibilityState === "hidden" && JSON.stringify(body).length < KEEPALIVE_MAX,
  });
  const result = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw Object.assign(new Error(result.detail), { status: answer.status });
  return result;
}

document.getElementById("save").textContent = "Save"; // files are attached as they are chosen

// --- saving --------------------------------------------------------------------------------------

function fields() {
  const of = (name) => form.elements[name]?.value;
  const values = {
    identityId: of("identity"), to: of("to"), cc: of("cc"), bcc: of("bcc"), subject: of("subject"),
    text: of("text"), html: of("html"), priority: of("priority"),
    requestReceipt: form.elements.receipt.checked, requestReport: form.elements.report.checked,
  };
  if (!draft) {
    Object.assign(values, {
      inReplyTo: of("inReplyTo"), references: of("references"), answersId: of("answersId"),
      answersHow: of("answersId") ? of("answersHow") : undefined,
      takeFrom: of("takeFrom"), take: of("takeFrom") ? of("take") : undefined,
    });
  }
  return values;
}

// The address of the page and the form's target become the draft's, so that reloading shows it.
function adopt(saved) {
  draft = saved.id;
  form.elements.revision.value = saved.revision;
  const url = `/mail/${form.dataset.account}/compose/${draft}`;
  if (!location.pathname.endsWith(`/compose/${draft}`)) {
    form.action = url;
    history.replaceState(null, "", url);
  }
  // What came along with a forwarded message is the draft's own now.
  if (!form.elements.takeFrom) return;
  form.elements.takeFrom.remove();
  form.elements.take.remove();
  document.getElementById("takes")?.remove();
  saved.attachments.forEach((one) => showAttached(one));
}

// Two windows, or two devices: neither writes over the other until the person has said so.
function tellBehind() {
  isBehind = true;
  const note = document.createElement("div");
  note.className = "note";
  note.id = "behind";
  note.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = "This message was changed in another window or on another device. What you typed here is not saved.";
  const row = document.createElement("p");
  row.className = "buttons";
  const other = document.createElement("a");
  other.className = "button";
  other.href = `/mail/${form.dataset.account}/compose/${draft}`;
  other.target = "_blank";
  other.textContent = "See the other version";
  const mine = document.createElement("button");
  mine.type = "button";
  mine.className = "button is-primary";
  mine.textContent = "Keep what is here";
  mine.addEventListener("click", () => {
    note.remove();
    isBehind = false;
    form.elements.revision.value = 0; // over whatever is there
    isDirty = true;
    save();
  });
  row.append(mine, other);
  note.append(words, row);
  form.querySelector(".page-head").after(note);
}

async function saveNow() {
  if (!isDirty || isBehind) return;
  isDirty = false;
  try {
    const wasTried = first !== null;
    const saved = draft
      ? await call("PUT", `/drafts/${draft}`, { ...fields(), revision: Number(form.elements.revision.value) })
      : await call("POST", "/drafts", (first ??= fields()), { "Idempotency-Key": key });
    if (!draft && wasTried) isDirty = true; // it may be the draft of the first try
    adopt(saved);
    say("Saved");
  } catch (problem) {
    isDirty = true;
    if (problem.status < 500 && problem.status !== 409) first = null; // it was refused: nothing was made
    if (draft && problem.status === 409) tellBehind();
    if (problem.status === 401) say("Not saved: you are signed out. Sign in again in another window; your text stays here");
    else say(isBehind ? "Not saved" : "Not saved yet; tried again");
  }
}

function save() {
  saving = saving.then(saveNow);
  return saving;
}

form.addEventListener("input", (event) => {
  if (event.target.type === "file") return;
  isDirty = true;
  say("");
});
setInterval(save, AUTOSAVE_MS);
// On leaving nothing waits: neither for the interval nor for a save that is on its way.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden" && !isLeaving) saveNow();
});
window.addEventListener("beforeunload", (event) => {
  if (isDirty && isBehind && !isLeaving) event.preventDefault(); // what is typed would be lost
});
form.addEventListener("submit", () => { isLeaving = true; isDirty = false; });

// --- attachments ---------------------------------------------------------------------------------

const list = document.getElementById("attachments");

function row(file) {
  const item = document.createElement("li");
  const name = document.createElement("div");
  name.textContent = file.name;
  const progress = document.createElement("progress");
  progress.max = 1;
  progress.value = 0;
  progress.setAttribute("aria-label", `Uploading ${file.name}`);
  item.append(name, progress);
  list.append(item);
  return { item, progress };
}

// An attachment that the draft has got, as the page would show it.
function showAttached(one, item = document.createElement("li")) {
  const name = document.createElement("div");
  const link = document.createElement("a");
  link.href = `/mail/${form.dataset.account}/compose/${draft}/attachment/${one.number}`;
  link.download = "";
  link.textContent = one.name || "Unnamed";
  name.append(link);
  item.dataset.number = one.number;
  item.dataset.cid = one.cid ?? "";
  item.replaceChildren(name, removal(one.number, one.name));
  if (!item.isConnected) list.append(item);
}

function removal(number, name) {
  const button = document.createElement("button");
  button.className = "button";
  button.name = "do";
  button.value = `detach-${number}`;
  button.textContent = "Remove";
  const unseen = document.createElement("span");
  unseen.className = "unseen";
  unseen.textContent = ` ${name}`;
  button.append(unseen);
  return button;
}

// fetch tells nothing of an upload's progress; XMLHttpRequest does.
function upload(file, onProgress, cid = "") {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${base}/drafts/${draft}/attachments?name=${encodeURIComponent(file.name)}&cid=${encodeURIComponent(cid)}`);
    request.setRequestHeader("X-CSRF-Token", token);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
    request.addEventListener("load", () => (request.status === 201
      ? resolve(JSON.parse(request.responseText)) : reject(new Error(request.responseText))));
    request.addEventListener("error", () => reject(new Error("the connection was lost")));
    request.send(file);
  });
}

async function haveDraft() {
  if (!draft) {
    isDirty = true;
    await save();
  }
  return Boolean(draft);
}

// A picture within the text (compose-editor.js): the address at which it is seen here.
form.attachPicture = async (file, cid) => {
  if (!await haveDraft()) throw new Error("not saved");
  const saved = await upload(file, () => {}, cid);
  const added = saved.attachments.find((one) => one.cid === cid);
  return `/mail/${form.dataset.account}/compose/${draft}/attachment/${added.number}`;
};

async function attach(files) {
  if (!await haveDraft()) return;
  for (const file of files) {
    const { item, progress } = row(file);
    try {
      const saved = await upload(file, (part) => { progress.value = part; });
      const added = saved.attachments[saved.attachments.length - 1];
      showAttached(added, item);
    } catch {
      item.remove();
      say(`${file.name} could not be attached`);
    }
  }
}

form.elements.files.addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await attach(files);
});
form.addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) event.preventDefault();
});
form.addEventListener("drop", (event) => {
  if (event.defaultPrevented || !event.dataTransfer.files.length) return;
  event.preventDefault();
  attach([...event.dataTransfer.files]);
});
form.addEventListener("paste", (event) => {
  if (event.defaultPrevented || !event.clipboardData.files.length) return;
  event.preventDefault();
  attach([...event.clipboardData.files]);
});

// --- addresses -----------------------------------------------------------------------------------

// What is typed of the last address of a field.
function typedPart(input) {
  const before = input.value.slice(0, input.selectionStart);
  return before.slice(before.lastIndexOf(",") + 1).trimStart();
}

function completion(input) {
  const box = document.createElement("ul");
  box.className = "completion";
  box.id = `${input.id}-completion`;
  box.setAttribute("role", "listbox");
  box.hidden = true;
  input.after(box);
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-controls", box.id);
  input.setAttribute("aria-expanded", "false");
  let chosen = -1;
  let asked = 0;

  const close = () => {
    box.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const take = (option) => {
    const part = typedPart(input);
    const at = input.selectionStart - part.length;
    input.value = `${input.value.slice(0, at)}${option.dataset.typed}, ${input.value.slice(input.selectionStart).trimStart()}`;
    close();
    isDirty = true;
  };
  const mark = (next) => {
    chosen = (next + box.children.length) % box.children.length;
    [...box.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === chosen)));
    input.setAttribute("aria-activedescendant", box.children[chosen].id);
  };

  input.addEventListener("input", async () => {
    const part = typedPart(input);
    asked += 1;
    const mine = asked;
    if (part.length < 2) return close();
    const answer = await fetch(`/api/v1/contacts/complete?q=${encodeURIComponent(part)}`);
    if (!answer.ok || mine !== asked) return undefined;
    const { matches } = await answer.json();
    box.replaceChildren(...matches.map((match, i) => {
      const option = document.createElement("li");
      option.id = `${box.id}-${i}`;
      option.setAttribute("role", "option");
      option.dataset.typed = match.typed;
      if (match.memberCount > 1 || !match.email) option.textContent = `${match.name} (group of ${match.memberCount})`;
      else option.textContent = match.name ? `${match.name} <${match.email}>` : match.email;
      option.addEventListener("mousedown", (event) => { event.preventDefault(); take(option); });
      return option;
    }));
    box.hidden = matches.length === 0;
    input.setAttribute("aria-expanded", String(!box.hidden));
    chosen = -1;
    return undefined;
  });
  input.addEventListener("keydown", (event) => {
    if (box.hidden) return;
    if (event.key === "ArrowDown") mark(chosen + 1);
    else if (event.key === "ArrowUp") mark(chosen - 1);
    else if (event.key === "Escape") close();
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(box.children[chosen]);
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", close);
}

for (const name of ["to", "cc", "bcc"]) completion(form.elements[name]);
