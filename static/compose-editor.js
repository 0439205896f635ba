// Formatted text in the form in which mail is written, for who wants it: the field "html" follows the
// editor, and the server makes the plain form of it.
import { edit, htmlOfText, textOf } from "./editor.js";

const form = document.getElementById("compose");
const text = form.elements.text;
const html = form.elements.html;
html.disabled = false; // without a script the plain text is all there is

let editing = null;

// Attachments of the draft, and pictures of the message that is answered, which are named by it.
function pictureUrl(cid) {
  const row = [...document.querySelectorAll("#attachments li")].find((one) => one.dataset.cid === cid);
  const [, email, part] = /^o(\d+)@([\d.]+)$/.exec(cid) ?? [];
  if (row) return row.querySelector("a").href;
  return email ? `/mail/${form.dataset.account}/message/${email}/part/${part}` : "";
}

const kept = new Map(); // pictures of this page: where they are seen

async function attachPicture(file) {
  const cid = `${form.randomId()}@restante`;
  kept.set(cid, await form.attachPicture(file, cid));
  return cid;
}

// Where one's own words go.
function placeCaret(root) {
  const range = document.createRange();
  const first = form.dataset.quoting === "above" ? root.querySelector(":scope > blockquote")?.nextElementSibling : null;
  range.selectNodeContents(first ?? root);
  range.collapse(true);
  return range;
}

function open() {
  button.hidden = true;
  text.hidden = true;
  editing = edit(html, {
    label: "Text", attachPicture, pictureUrl: (cid) => kept.get(cid) ?? pictureUrl(cid),
  });
  editing.root.id = "editor";
  document.querySelector("label[for='text']").removeAttribute("for");
  const plain = document.createElement("button");
  plain.type = "button";
  plain.id = "plain";
  plain.className = "button is-quiet";
  plain.textContent = "Plain text";
  plain.addEventListener("click", close);
  editing.bar.append(plain);
  text.value = ""; // the server makes it of the formatted text
}

function close() {
  if (!confirm("Make it plain text? Its formatting and pictures are lost.")) return;
  text.value = textOf(editing.root).join("\n");
  editing.close();
  editing = null;
  html.value = "";
  text.hidden = false;
  button.hidden = false;
  text.dispatchEvent(new Event("input", { bubbles: true }));
  text.focus();
}

// --- the signature of the sender -------------------------------------------------------------------

const sender = form.elements.identity;
const signatureOf = (option) => ({ text: option?.dataset.signature ?? "", html: option?.dataset.html ?? "" });
let signature = signatureOf(sender.selectedOptions[0]);

const plainBlock = (text) => (text ? `\n\n-- \n${text}\n` : "");

function signPlain(before, now) {
  const at = text.value.lastIndexOf(plainBlock(before.text));
  if (at < 0) return; // it was edited
  const end = before.text ? at + plainBlock(before.text).length : text.value.length;
  text.value = text.value.slice(0, before.text ? at : end) + plainBlock(now.text) + text.value.slice(end);
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

function signFormatted(before, now) {
  const rows = [...editing.root.children];
  const marker = before.text || before.html ? rows.findLast((row) => row.textContent.trim() === "--") : null;
  if ((before.text || before.html) && !marker) return;
  if (marker) {
    while (marker.nextSibling) marker.nextSibling.remove();
    marker.remove();
  }
  if (now.text || now.html) {
    editing.root.append(editing.fragmentOf(`<div>-- </div>${now.html || htmlOfText(now.text)}`));
  }
  editing.follow();
}

sender.addEventListener("change", () => {
  const now = signatureOf(sender.selectedOptions[0]);
  if (editing) signFormatted(signature, now);
  else signPlain(signature, now);
  signature = now;
});

const isUntouched = () => !form.action.match(/compose\/\d+$/)
  && ["to", "cc", "bcc", "subject", "text"].every((name) => form.elements[name].value === form.elements[name].defaultValue);

const button = document.createElement("button");
button.type = "button";
button.id = "format";
button.className = "button is-quiet";
button.textContent = "Format the text";
text.before(button);
button.addEventListener("click", () => {
  if (/[?&](reply|forward)=/.test(location.search) && isUntouched()) {
    location.search += "&as=html"; // the original is quoted as it looks
    return;
  }
  html.value = htmlOfText(text.value);
  open();
  editing.follow();
  editing.editor.focus();
});

if (html.value.trim()) {
  open();
  if (form.elements.to.value) {
    editing.editor.setSelection(placeCaret(editing.root));
    editing.editor.focus();
  } else {
    form.elements.to.focus();
  }
} else if (form.dataset.quoting && form.elements.to.value) {
  const signature = text.value.lastIndexOf("\n\n-- \n");
  const at = form.dataset.quoting === "above" ? (signature < 0 ? text.value.length : signature) : 0;
  text.focus();
  text.setSelectionRange(at, at);
}
