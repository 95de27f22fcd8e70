/** A small box of choices beside what it is about: closed by Escape, a click elsewhere, or a choice. */

import { h } from "../dom.js";

const MARGIN_PX = 8;
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/**
 * Open a box beside `opener`, which gets the focus back.
 *
 * @param {HTMLElement} opener
 * @param {string} label what the box is about, for a screen reader
 * @param {(close: () => void) => Node[]} content
 */
export function openPopover(opener, label, content) {
  const box = h("div", { class: "transcript-popover", popover: "auto", role: "dialog", "aria-label": label });
  const close = () => box.hidePopover();
  box.append(...content(close));
  box.addEventListener("keydown", (event) => onKey(event, box));
  box.addEventListener("toggle", (event) => event.newState === "closed" && remove(box, opener));
  opener.after(box);
  box.showPopover();
  place(box, opener.getBoundingClientRect());
  box.querySelector("input, button")?.focus({ preventScroll: true });
  box.querySelector("input")?.select();
  return box;
}

/** Make a group of choices under a heading. */
export function choices(heading, buttons) {
  const title = h("p", { class: "heading" }, heading);
  return h("div", { class: "choices", role: "group", "aria-label": heading }, title, buttons);
}

function place(box, beside) {
  const { innerWidth, innerHeight } = window;
  const below = beside.bottom + MARGIN_PX / 2;
  const fits = below + box.offsetHeight + MARGIN_PX <= innerHeight;
  const above = beside.top - box.offsetHeight - MARGIN_PX / 2;
  const top = fits ? below : Math.max(MARGIN_PX, above);
  const left = Math.min(beside.left, innerWidth - box.offsetWidth - MARGIN_PX);
  box.style.top = `${top}px`;
  box.style.left = `${Math.max(MARGIN_PX, left)}px`;
}

function remove(box, opener) {
  const inside = box.contains(document.activeElement) || document.activeElement === document.body;
  box.remove();
  if (inside && opener.isConnected) {
    opener.focus({ preventScroll: true });
  }
}

function onKey(event, box) {
  event.stopPropagation();
  const step = STEPS[event.key];
  if (step) {
    event.preventDefault();
    const parts = [...box.querySelectorAll("input, button")];
    parts.at((parts.indexOf(document.activeElement) + step) % parts.length).focus();
  }
}
