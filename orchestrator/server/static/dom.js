// Elements are built, never parsed: text from outside stays text.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Make an element. An attribute that is a function is a listener, `true` is given bare, `null` and `false` not at all.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    setAttribute(element, name, value);
  }
  element.append(...shown(children.flat()));
  return element;
}

/**
 * Show these children in `parent` and no others.
 * @param {Element} parent
 * @param {...(Child | Child[])} children
 */
export function show(parent, ...children) {
  parent.replaceChildren(...shown(children.flat()));
}

/**
 * Write text only where it changes, so that a live region says it once.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

let lastId = 0;

/** @param {string} name @returns {string} an id that no other element has */
export function uniqueId(name) {
  lastId += 1;
  return `${name}-${lastId}`;
}

/** @param {HTMLElement} element @param {string} name @param {any} value */
function setAttribute(element, name, value) {
  if (typeof value === "function") {
    element.addEventListener(name.replace(/^on/, ""), value);
  } else if (value !== null && value !== undefined && value !== false) {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {any[]} children @returns {(Node | string)[]} */
function shown(children) {
  return children
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}
