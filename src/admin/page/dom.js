// Elements of the page. Text is inserted as text, never as markup.

export const $ = (id) => document.getElementById(id);

/** An element with attributes and children; a child that is not an element becomes text. */
export function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(3).filter((child) => child != null && child !== false));
  return element;
}

export const text = (name, kind, ...children) => h(name, { class: kind }, ...children);

/** Elements with spaces between them, for those who listen or copy. */
export const spaced = (...children) => children.filter(Boolean).flatMap((child) => [child, " "]);

export function table(heads, rows) {
  const cell = (name, kind) => (child, at) => h(name, { class: heads[at].number ? "number" : null, ...kind }, child);
  return h("table", null,
    h("thead", null, h("tr", null, heads.map((head, at) => cell("th", { scope: "col" })(head.text, at)))),
    h("tbody", null, rows.map((row) => h("tr", null, row.map(cell("td"))))));
}

/** Replaces the content of `place` if `data` has changed. */
export function show(place, data, make) {
  const made = JSON.stringify(data);
  if (place.made === made) return;
  place.made = made;
  place.replaceChildren(...[make(data)].flat());
}

export const pill = (word, kind) => text("span", `pill ${kind ?? word}`, word);

export const arrow = () => text("span", "arrow", "→");

/** A name that may be broken after each underscore. */
const breakable = (name) => name.split(/(?<=_)/).flatMap((part) => [part, h("wbr")]).slice(0, -1);

/** A selector: the family, and its labels in a lighter colour. */
export function selector(written) {
  const at = written.indexOf("{");
  const [family, labels] = at < 0 ? [written, ""] : [written.slice(0, at), written.slice(at)];
  return h("code", null, breakable(family), labels && text("span", "soft", labels.replaceAll(",", ", ").replaceAll("  ", " ")));
}

/** Text between backticks is code. */
export const prose = (text) => text.split("`").map((part, at) => (at % 2 ? h("code", null, part) : part));

/** A text to copy, with its button. The clipboard is only there on HTTPS and on localhost. */
export function copyable(content, label) {
  const code = h("pre", { tabindex: 0, role: "region", "aria-label": label }, content);
  const said = h("span", { role: "status", class: "soft" });
  const copy = async () => {
    let copied = false;
    try {
      await navigator.clipboard.writeText(content);
      copied = true;
    } catch {
      getSelection().selectAllChildren(code);
      copied = document.execCommand("copy");
    }
    said.textContent = copied ? "Copied" : "Selected: copy it with Ctrl+C";
  };
  return text("div", "copyable", code, text("div", "actions", h("button", { type: "button", onclick: copy }, "Copy YAML"), said));
}
