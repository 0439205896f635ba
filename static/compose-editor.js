// Formatted text: an editor in place of the plain text field, for who wants it. The form's fields
// "html" and "text" follow it, so that saving and sending know nothing of it. The server sanitises
// what is saved.
const form = document.getElementById("compose");
const text = form.elements.text;
const html = form.elements.html;
const COMMANDS = [
  ["bold", "B", "Bold"], ["italic", "I", "Italic"], ["underline", "U", "Underline"],
  ["insertUnorderedList", "•", "List"], ["insertOrderedList", "1.", "Numbered list"],
  ["indent", "›", "Quote"], ["removeFormat", "×", "Plain"],
];
// What is shown in the editor was sanitised by the server when it was saved.
const trusted = window.trustedTypes?.createPolicy("draft", { createHTML: (markup) => markup });

// Nothing is loaded in a document without a window.
const inert = document.implementation.createHTMLDocument("");

let editor = null;

function followEditor() {
  const copy = inert.importNode(editor, true);
  for (const picture of copy.querySelectorAll("img[data-cid]")) {
    picture.setAttribute("src", `cid:${picture.dataset.cid}`);
    picture.removeAttribute("data-cid");
  }
  html.value = copy.innerHTML;
  text.value = editor.innerText.replace(/\u00a0/g, " ").trimEnd();
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

// cid: pictures are shown from where they are kept.
function showPictures() {
  for (const picture of editor.querySelectorAll("img[src^='cid:']")) {
    const cid = picture.getAttribute("src").slice(4);
    const row = [...document.querySelectorAll("#attachments li")].find((one) => one.dataset.cid === cid);
    picture.dataset.cid = cid;
    if (row) picture.src = row.querySelector("a").href;
  }
}

function insert(node) {
  editor.focus();
  const range = getSelection().getRangeAt(0);
  range.deleteContents();
  range.insertNode(node);
  range.collapse(false);
  followEditor();
}

async function insertPictures(files) {
  for (const file of files) {
    const cid = `${crypto.randomUUID()}@restante`;
    const picture = document.createElement("img");
    picture.alt = file.name;
    picture.dataset.cid = cid;
    picture.src = await form.attachPicture(file, cid);
    insert(picture);
  }
}

function picturesOf(data) {
  return [...data.files].filter((file) => /^image\/(png|jpeg|gif|webp)$/.test(file.type));
}

function takePictures(event, data) {
  const pictures = picturesOf(data);
  if (!pictures.length) return;
  event.preventDefault();
  insertPictures(pictures);
}

function addLink() {
  const url = prompt("Address of the link", "https://");
  if (url) document.execCommand("createLink", false, url);
}

function toolbar() {
  const bar = document.createElement("div");
  bar.className = "buttons editor-bar";
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "Formatting");
  const add = (label, name, action) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = label;
    button.title = name;
    button.setAttribute("aria-label", name);
    button.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the selection
    button.addEventListener("click", () => { editor.focus(); action(); followEditor(); });
    bar.append(button);
  };
  for (const [command, label, name] of COMMANDS) add(label, name, () => document.execCommand(command));
  add("🔗", "Link", addLink);
  const field = document.createElement("input");
  field.type = "file";
  field.accept = "image/png,image/jpeg,image/gif,image/webp";
  field.id = "picture";
  field.hidden = true;
  field.addEventListener("change", () => { insertPictures([...field.files]); field.value = ""; });
  add("🖼", "Picture", () => field.click());
  bar.append(field);
  return bar;
}

function openEditor(button) {
  const frame = document.createElement("div");
  editor = document.createElement("div");
  editor.className = "editor";
  editor.id = "editor";
  editor.contentEditable = "true";
  editor.setAttribute("role", "textbox");
  editor.setAttribute("aria-multiline", "true");
  editor.setAttribute("aria-label", "Text");
  if (html.value.trim()) {
    editor.innerHTML = trusted ? trusted.createHTML(html.value) : html.value;
    showPictures();
  } else {
    for (const line of text.value.split("\n")) {
      const row = document.createElement("div");
      row.append(line || document.createElement("br"));
      editor.append(row);
    }
  }
  frame.append(toolbar(), editor);
  text.hidden = true;
  text.after(frame);
  button.remove();
  editor.addEventListener("input", followEditor);
  editor.addEventListener("paste", (event) => takePictures(event, event.clipboardData));
  editor.addEventListener("drop", (event) => takePictures(event, event.dataTransfer));
  editor.focus();
  if (!html.value.trim()) followEditor();
}

const button = document.createElement("button");
button.type = "button";
button.id = "format";
button.className = "button is-quiet";
button.textContent = "Format the text";
text.before(button);
button.addEventListener("click", () => openEditor(button));
if (html.value.trim()) openEditor(button);
