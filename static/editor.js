// A formatted text in place of a plain field: Squire (vendor/) with our bar of buttons. The field follows
// it, so that saving and sending know nothing of it. What is shown or pasted goes through DOMPurify; the
// server sanitises again what is saved.
import Squire from "./vendor/squire.js";
import "./vendor/purify.js";

const { DOMPurify } = globalThis;
const RULES = {
  RETURN_DOM: true,
  RETURN_DOM_FRAGMENT: true,
  FORBID_TAGS: ["style", "form", "input", "button", "textarea", "select", "option", "svg", "math", "video", "audio"],
  FORBID_ATTR: ["id", "name"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto|tel|cid):|^data:image\//i,
};
const PICTURES = /^image\/(png|jpeg|gif|webp)$/;

// Nothing is loaded in a document without a window.
const inert = document.implementation.createHTMLDocument("");
// Steps of "undo" are what was in the editor before.
const trusted = window.trustedTypes?.createPolicy("editor", { createHTML: (markup) => markup });

class Editor extends Squire {
  // Where Squire writes a string into the page.
  _setRawHTML(markup) {
    return super._setRawHTML(trusted ? trusted.createHTML(markup) : markup);
  }
}

// --- pictures --------------------------------------------------------------------------------------

// Those of the letter are seen from where they are kept; those from elsewhere are not loaded.
function adoptPictures(fragment, pictureUrl) {
  for (const picture of fragment.querySelectorAll("img")) {
    const src = picture.getAttribute("src") ?? "";
    if (src.startsWith("cid:")) {
      picture.dataset.cid = src.slice(4);
      picture.setAttribute("src", pictureUrl(picture.dataset.cid));
    } else if (/^https?:/i.test(src)) {
      picture.dataset.remote = src;
      picture.removeAttribute("src");
      if (!picture.alt) picture.alt = "Picture from elsewhere";
    } else if (!src) {
      picture.remove(); // what the server took out of a quote
    }
  }
}

function contentOf(root) {
  const copy = inert.importNode(root, true);
  for (const picture of copy.querySelectorAll("img")) {
    if (picture.dataset.cid) picture.setAttribute("src", `cid:${picture.dataset.cid}`);
    if (picture.dataset.remote) picture.setAttribute("src", picture.dataset.remote);
    picture.removeAttribute("data-cid");
    picture.removeAttribute("data-remote");
  }
  return copy.innerHTML.replaceAll("\u200b", "");
}

function fileOf(dataUrl) {
  const [, type, code] = /^data:(image\/[\w.+-]+);base64,(.*)$/s.exec(dataUrl) ?? [];
  if (!type || !PICTURES.test(type)) return null;
  const bytes = Uint8Array.from(atob(code), (letter) => letter.charCodeAt(0));
  return new File([bytes], `picture.${type.slice(6)}`, { type });
}

// --- the bar ---------------------------------------------------------------------------------------

const BUTTONS = [
  ["B", "Bold", "B", (e) => (e.hasFormat("B") ? e.removeBold() : e.bold())],
  ["I", "Italic", "I", (e) => (e.hasFormat("I") ? e.removeItalic() : e.italic())],
  ["U", "Underline", "U", (e) => (e.hasFormat("U") ? e.removeUnderline() : e.underline())],
  ["•", "List", "UL", (e) => (e.hasFormat("UL") ? e.removeList() : e.makeUnorderedList())],
  ["1.", "1. Numbered list", "OL", (e) => (e.hasFormat("OL") ? e.removeList() : e.makeOrderedList())],
  ["”", "Quote", "BLOCKQUOTE", (e) => (e.hasFormat("BLOCKQUOTE") ? e.decreaseQuoteLevel() : e.increaseQuoteLevel())],
  ["×", "No formatting", "", (e) => e.removeAllFormatting()],
  ["Link", "Link", "A", (e) => {
    if (e.hasFormat("A")) return e.removeLink();
    const url = prompt("Address of the link", "https://");
    return /^(https?|mailto|tel):./i.test(url ?? "") ? e.makeLink(url) : undefined;
  }],
];

function makeButton(label, name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = label;
  button.title = name;
  button.setAttribute("aria-label", name);
  button.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the selection
  return button;
}

function makeBar(editor) {
  const bar = document.createElement("div");
  bar.className = "editor-bar";
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "Formatting");
  const marks = [];
  for (const [label, name, tag, act] of BUTTONS) {
    const button = makeButton(label, name);
    button.addEventListener("click", () => { editor.focus(); act(editor); });
    bar.append(button);
    if (tag) marks.push(() => button.setAttribute("aria-pressed", String(editor.hasFormat(tag))));
  }
  editor.addEventListener("pathChange", () => marks.forEach((mark) => mark()));
  return bar;
}

// What a picture shows, for those who do not see it: asked for once it is chosen.
function makeDescription(root, changed) {
  const row = document.createElement("p");
  row.className = "editor-alt field";
  row.hidden = true;
  const label = document.createElement("label");
  label.textContent = "What the picture shows";
  const field = document.createElement("input");
  field.maxLength = 500;
  label.append(field);
  row.append(label);
  let picture = null;
  const show = (chosen) => {
    picture = chosen;
    row.hidden = !picture;
    if (picture) field.value = picture.alt;
  };
  root.addEventListener("click", (event) => show(event.target.closest("img")));
  field.addEventListener("input", (event) => {
    event.stopPropagation();
    picture.alt = field.value;
    changed();
  });
  return { row, show };
}

// --- all of it -------------------------------------------------------------------------------------

// Puts an editor in the place of `field`, whose value is HTML. `label` names it; `attachPicture(file)`
// keeps a picture and gives its Content-ID (without it there are none); `pictureUrl(cid)` is where one is
// seen here.
export function edit(field, { label, attachPicture, pictureUrl = () => "" }) {
  const frame = document.createElement("div");
  const root = document.createElement("div");
  root.className = "editor";
  root.setAttribute("role", "textbox");
  root.setAttribute("aria-multiline", "true");
  root.setAttribute("aria-label", label);
  frame.append(root);
  field.after(frame);
  const editor = new Editor(root, {
    undo: { documentSizeThreshold: 200_000, undoLimit: 100 },
    sanitizeToDOMFragment: (markup) => {
      const fragment = DOMPurify.sanitize(markup, RULES);
      adoptPictures(fragment, pictureUrl);
      return document.importNode(fragment, true);
    },
  });
  editor._imageResizer.destroy(); // its handles take the focus from the description
  const follow = () => {
    field.value = contentOf(root);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const description = makeDescription(root, follow);
  const bar = makeBar(editor);
  root.before(bar);
  root.after(description.row);

  async function insertPictures(files) {
    for (const file of files) {
      const cid = await attachPicture(file);
      editor.focus();
      description.show(editor.insertImage(pictureUrl(cid), { alt: "", "data-cid": cid }));
      follow();
    }
  }
  // Before Squire sees them.
  const take = (event, data) => {
    const pictures = [...data.files].filter((file) => PICTURES.test(file.type));
    if (!attachPicture || !pictures.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    insertPictures(pictures);
  };
  frame.addEventListener("paste", (event) => take(event, event.clipboardData), true);
  frame.addEventListener("drop", (event) => take(event, event.dataTransfer), true);
  // Pictures within what is pasted are kept like others.
  editor.addEventListener("willPaste", (event) => {
    for (const picture of event.detail.fragment.querySelectorAll("img[src^='data:']")) {
      const file = attachPicture && fileOf(picture.getAttribute("src"));
      if (!file) picture.remove();
      else {
        attachPicture(file).then((cid) => {
          picture.dataset.cid = cid;
          picture.src = pictureUrl(cid);
          follow();
        }, () => picture.remove());
      }
    }
  });
  if (attachPicture) {
    const choose = document.createElement("input");
    choose.type = "file";
    choose.accept = "image/png,image/jpeg,image/gif,image/webp";
    choose.id = "picture";
    choose.hidden = true;
    choose.addEventListener("change", () => { insertPictures([...choose.files]); choose.value = ""; });
    choose.addEventListener("input", (event) => event.stopPropagation());
    const button = makeButton("Picture", "Picture");
    button.addEventListener("click", () => choose.click());
    bar.append(button, choose);
  }
  editor.setHTML(field.value);
  editor.addEventListener("input", follow);
  return {
    root, bar, editor, follow,
    fragmentOf: (markup) => document.importNode(DOMPurify.sanitize(markup, RULES), true),
    close() {
      editor.destroy();
      frame.remove();
    },
  };
}

// --- between plain and formatted -------------------------------------------------------------------

// Plain text as HTML: lines, and what stands behind ">" as a quote.
export function htmlOfText(text) {
  const top = inert.createElement("div");
  let parents = [top];
  for (const line of text.split("\n")) {
    const [marks] = /^(?:> ?)*/.exec(line);
    const depth = marks.replaceAll(" ", "").length;
    parents = parents.slice(0, depth + 1);
    while (parents.length <= depth) {
      const quote = inert.createElement("blockquote");
      quote.setAttribute("type", "cite");
      parents.at(-1).append(quote);
      parents.push(quote);
    }
    const row = inert.createElement("div");
    row.append(line.slice(marks.length) || inert.createElement("br"));
    parents.at(-1).append(row);
  }
  return top.innerHTML;
}

// The reverse, as far as it goes.
export function textOf(node, marks = "") {
  const lines = [];
  let line = "";
  const end = () => { if (line) lines.push(marks + line); line = ""; };
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) line += child.data.replaceAll("\u200b", "").replaceAll("\u00a0", " ");
    else if (child.nodeName === "BR") { lines.push(marks + line); line = ""; }
    else if (child.nodeName === "BLOCKQUOTE") { end(); lines.push(...textOf(child, `>${marks || " "}`)); }
    else if (child.nodeName === "LI") { end(); textOf(child).forEach((one, i) => lines.push(`${marks}${i ? "  " : "* "}${one}`)); }
    else if (getComputedStyle(child).display === "inline") line += textOf(child).join("\n");
    else { end(); lines.push(...textOf(child, marks)); }
  }
  end();
  return lines;
}
