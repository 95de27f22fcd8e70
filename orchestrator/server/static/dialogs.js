// Dialogs: the browser's own, which keep the focus inside and give it back.

import { h, uniqueId } from "./dom.js";
import { icon } from "./icons.js";

/**
 * Make a dialog with a title; `close` takes it out of the page again.
 * @param {{title: string, mayClose?: boolean, wide?: boolean}} how
 * @param {...any} children
 * @returns {{dialog: HTMLDialogElement, close: () => void, closed: Promise<void>}}
 */
export function openDialog({ title, mayClose = true, wide = false }, ...children) {
  const id = uniqueId("dialog-title");
  const dialog = h("dialog", { class: wide ? "dialog wide" : "dialog", "aria-labelledby": id });
  const close = () => {
    dialog.close();
    leave(); // now: the browser tells of it later, when the dialog is out of sight already
  };
  const heading = h("h2", { id }, title);
  const cross = h(
    "button",
    { type: "button", class: "button quiet icon-only", "aria-label": "Close", onclick: close },
    icon("close"),
  );
  dialog.append(h("header", { class: "dialog-head" }, heading, mayClose && cross), ...children.filter(Boolean));
  if (!mayClose) {
    dialog.addEventListener("cancel", (/** @type {Event} */ event) => event.preventDefault());
  }
  const opener = document.activeElement;
  /** @type {() => void} */
  let leave;
  const closed = new Promise((/** @type {(value: void) => void} */ resolve) => {
    leave = () => {
      if (dialog.isConnected) {
        dialog.remove();
        giveFocusBack(opener);
        resolve();
      }
    };
  });
  dialog.addEventListener("close", () => leave());
  document.body.append(dialog);
  dialog.showModal();
  return { dialog, close, closed };
}

/**
 * Ask before something that cannot be undone.
 * @param {{title: string, text: string, yes: string, no?: string}} question
 * @returns {Promise<boolean>}
 */
export async function confirmed({ title, text, yes, no = "Cancel" }) {
  const choices = [
    { value: "no", label: no },
    { value: "yes", label: yes, style: "danger" },
  ];
  return (await chosen({ title, text, choices })) === "yes";
}

/**
 * Ask which of some ways to go; the first one has the focus.
 * @param {{title: string, text: string, choices: {value: string, label: string, style?: string}[]}} question
 * @returns {Promise<string | null>} null where the dialog was closed
 */
export async function chosen({ title, text, choices }) {
  /** @type {string | null} */
  let answer = null;
  const choose = (/** @type {string} */ value) => {
    answer = value;
    opened.close();
  };
  const buttons = choices.map(({ value, label, style = "" }, k) =>
    h("button", { type: "button", class: `button ${style}`, autofocus: k === 0, onclick: () => choose(value) }, label),
  );
  const opened = openDialog(
    { title },
    h("p", { class: "dialog-text" }, text),
    h("div", { class: "dialog-buttons" }, buttons),
  );
  await opened.closed;
  return answer;
}

/** @param {Element | null} opener */
function giveFocusBack(opener) {
  if (opener instanceof HTMLElement && opener.isConnected) {
    opener.focus();
  } else {
    /** @type {HTMLElement | null} */ (document.querySelector("main h1"))?.focus();
  }
}
