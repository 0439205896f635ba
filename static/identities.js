// The formatted signature of each sender: without a script there is the plain one.
import { edit, htmlOfText } from "./editor.js";

for (const field of document.querySelectorAll("textarea[name='htmlSignature']")) {
  const plain = field.form.elements.signature;
  const title = document.createElement("p");
  title.className = "field-label";
  title.textContent = "Formatted signature, under formatted letters";
  const open = () => {
    field.disabled = false;
    const { root } = edit(field, { label: field.getAttribute("aria-label") });
    root.classList.add("is-small");
    field.before(title);
  };
  if (field.value.trim()) {
    open();
  } else {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button is-quiet";
    button.textContent = "Add a formatted signature";
    button.addEventListener("click", () => {
      field.value = htmlOfText(plain.value);
      open();
      button.remove();
    });
    field.after(button);
  }
}
