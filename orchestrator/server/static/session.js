// Who is at the page: the dialog that asks for an API key, and the button that signs out.

import { api, connection } from "./api.js";
import { openDialog } from "./dialogs.js";
import { h, setText, show, uniqueId } from "./dom.js";
import { inWords } from "./errors.js";
import { icon } from "./icons.js";
import { warn } from "./notices.js";

/** @typedef {import("./api.js").Session} Session */

/** @type {Promise<void> | null} */
let asking = null;

/**
 * Find out whether a key is needed, and ask for it.
 * @param {HTMLElement} place where the reader's name and the sign-out button are shown
 * @param {(session: Session) => void} onSession told who is there, at first and after each time somebody signed in
 * @returns {Promise<void>}
 */
export async function startSession(place, onSession) {
  const tell = (/** @type {Session} */ session) => {
    show(place, session.key_required && signOutButton(session.name));
    onSession(session);
  };
  connection.signIn = () => {
    asking ??= signInDialog()
      .finally(() => {
        asking = null;
      })
      .then(async () => tell(await api.session()));
    return asking;
  };
  const session = await api.session();
  await (session.key_required && !session.signed_in ? connection.signIn() : tell(session));
}

/** @returns {Promise<void>} resolved once a key was taken */
async function signInDialog() {
  const id = uniqueId("key");
  const field = h("input", {
    id,
    type: "password",
    autocomplete: "current-password",
    spellcheck: "false",
    required: true,
    autofocus: true,
    "aria-describedby": `${id}-fault`,
  });
  const fault = h("p", { id: `${id}-fault`, class: "fault", role: "alert" });
  const button = h("button", { class: "button primary" }, "Sign in");
  const form = h(
    "form",
    { class: "stack" },
    h("p", { class: "hint" }, "This server asks for an API key. Whoever runs it makes one with “parley keys add”."),
    h("div", { class: "field" }, h("label", { for: id }, "API key"), field),
    fault,
    h("div", { class: "dialog-buttons" }, button),
  );
  const opened = openDialog({ title: "Sign in to Parley", mayClose: false }, form);
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await api.signIn(field.value.trim());
      opened.close();
    } catch (error) {
      setText(fault, refusal(error));
      field.setAttribute("aria-invalid", "true");
      field.select();
    }
    button.disabled = false;
  });
  await opened.closed;
}

/** @param {any} error @returns {string} */
function refusal(error) {
  return error.status === 401 ? "This key is not known here. Check it for missing characters." : inWords(error);
}

/** @param {string | null} name @returns {HTMLElement} */
function signOutButton(name) {
  const label = name ? `Sign out ${name}` : "Sign out";
  const button = h(
    "button",
    { type: "button", class: "button quiet icon-only", "aria-label": label, title: label },
    icon("leave"),
  );
  button.addEventListener("click", async () => {
    try {
      await api.signOut();
      location.hash = "";
      location.reload();
    } catch (error) {
      warn(error);
    }
  });
  return button;
}
