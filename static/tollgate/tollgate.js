// Comforts. Every page works without this file.
"use strict";

const words = document.body.dataset; // in the language of the page

for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector("[data-label]");
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.textContent.trim());
    const before = label.textContent;
    label.textContent = words.wordCopied;
    setTimeout(() => { label.textContent = before; }, 2000);
  });
}

for (const input of document.querySelectorAll("input[data-timezone]")) {
  input.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone;
}

// What auto-recharge will do, while it is typed. The server writes the same sentence from the same texts.
for (const sentence of document.querySelectorAll("[data-sentence]")) {
  const form = sentence.closest("form");
  const value = (name) => form.elements[name].value.trim();
  const text = (name) => sentence.getAttribute(`data-${name}`).replace(/\{(\w+)\}/g, (_, field) => value(field));
  form.addEventListener("input", () => {
    const size = ["amount", "target"].find(value);
    const bounds = ["monthly_limit", "monthly_count"].filter(value);
    const isNumbers = ["threshold", size, ...bounds].every((name) => name && /^[\d.,]+$/.test(value(name)));
    if (!form.elements.enabled.checked) sentence.textContent = text("off");
    else if (!isNumbers) sentence.textContent = text("incomplete");
    else sentence.textContent = [size, ...bounds].map(text).join("") + ".";
  });
}

// A form that is on its way is not sent again; one that is shown again by the Back button can be.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// Menus close at Escape, when the focus leaves them, and at a click beside them.
const menus = () => document.querySelectorAll("details.menu[open]");
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
addEventListener("focusin", (event) => {
  for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
});
addEventListener("click", (event) => {
  for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
});

// A click on an id copies it.
const announcer = document.createElement("p");
announcer.className = "toast";
announcer.setAttribute("role", "status");
document.body.append(announcer);
const copy = async (id) => {
  await navigator.clipboard.writeText(id.textContent.trim());
  announcer.textContent = `${words.wordCopied}: ${id.textContent.trim()}`;
  setTimeout(() => { announcer.textContent = ""; }, 2000);
};
for (const place of navigator.clipboard ? document.querySelectorAll("main .id") : []) {
  if (place.closest("a, button, summary") || place.querySelector("a, button") || !/\w/.test(place.textContent)) continue;
  const id = place.matches("dd, td") ? document.createElement("span") : place; // a cell stays a cell
  if (id !== place) {
    id.append(...place.childNodes);
    place.append(id);
  }
  id.tabIndex = 0;
  id.setAttribute("role", "button");
  id.title = words.wordCopy;
  id.addEventListener("click", () => copy(id));
  id.addEventListener("keydown", (event) => { if (event.key === "Enter") copy(id); });
}
