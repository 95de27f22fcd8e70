// The page: its frame, which view the address asks for, and what all views share.

import { api, connection } from "./api.js";
import { h, setText, show } from "./dom.js";
import { takeDrops } from "./drop.js";
import { ApiError, inWords } from "./errors.js";
import { Home } from "./home.js";
import { icon } from "./icons.js";
import { JobPage } from "./job_page.js";
import { notice, warn } from "./notices.js";
import { startSession } from "./session.js";
import { themeButton } from "./theme.js";
import { Uploads } from "./upload.js";

const PING_MS = 2000;

/** @typedef {{
 *   root: HTMLElement, open: () => Promise<void>, mayLeave: () => Promise<boolean>, leave: () => Promise<void>,
 *   again: () => void,
 * }} View */

const place = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

class Page {
  constructor() {
    this.main = place("main");
    this.uploads = new Uploads(place("uploads"), { onAccepted: (accepted, alone) => this.accepted(accepted, alone) });
    this.home = new Home({
      onFiles: (files, fields) => this.uploads.add(files, fields),
      onAccepted: (accepted) => this.accepted(accepted, true),
    });
    /** @type {View | null} */
    this.view = null;
    this.address = "";
    this.turns = 0;
    place("theme").append(themeButton());
    takeDrops((files) => this.home.send(files));
    watchConnection(place("connection"), () => this.view?.again());
    place("skip").addEventListener("click", (event) => {
      event.preventDefault(); // the address says which view is shown
      this.main.focus();
    });
  }

  async start() {
    await startSession(place("session"), (session) => this.told(session));
    window.addEventListener("hashchange", () => this.go({ moveFocus: true }));
    await this.go({ moveFocus: false });
  }

  /** @param {import("./api.js").Session} session */
  told(session) {
    this.uploads.maxBytes = session.max_upload_bytes;
    this.home.told(session);
    setText(place("version"), about(session));
    this.view?.again();
  }

  /** Show what the address asks for, unless the reader stays to save. @param {{moveFocus: boolean}} how */
  async go({ moveFocus }) {
    const turn = (this.turns += 1);
    const before = this.view;
    const leaves = (await before?.mayLeave()) ?? true;
    if (turn !== this.turns) {
      return;
    }
    if (!leaves) {
      window.history.replaceState(null, "", this.address);
      return;
    }
    this.address = location.href;
    const view = this.#asked();
    this.view = view;
    show(this.main, view.root);
    titled(view === this.home ? "" : "Recording");
    window.scrollTo(0, 0);
    if (moveFocus) {
      view.root.querySelector("h1")?.focus({ preventScroll: true });
    }
    await before?.leave();
    if (this.view === view) {
      await view.open();
    }
  }

  /** @returns {View} */
  #asked() {
    const id = /^#\/jobs\/([^/?#]+)$/.exec(location.hash)?.[1];
    return id ? new JobPage(decoded(id), { onTitle: titled }) : this.home;
  }

  /** A recording that was given alone is opened; of several the list tells. @param {import("./api.js").Accepted} accepted @param {boolean} alone */
  accepted(accepted, alone) {
    if (alone && this.view === this.home) {
      location.hash = `#/jobs/${encodeURIComponent(accepted.job_id)}`;
    } else if (this.view === this.home) {
      this.home.history.refresh();
    } else {
      notice(`${accepted.filename} is in the list of recordings.`);
    }
  }
}

/** @param {import("./api.js").Session} session @returns {string} */
function about({ version, models }) {
  return [`Parley ${version}`, ...Object.entries(models ?? {}).map(([part, model]) => `${part}: ${model}`)].join(" · ");
}

/** @param {string} title */
function titled(title) {
  document.title = title ? `${title} – Parley` : "Parley";
}

/** @param {string} id @returns {string} */
function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

/** Say when the server does not answer, and when it does again. @param {HTMLElement} banner @param {() => void} onBack */
function watchConnection(banner, onBack) {
  const text = h("p", { role: "status" });
  show(banner, icon("alert"), text);
  const ping = () =>
    setTimeout(async () => {
      await api.ping().catch(() => null);
      if (connection.isLost) {
        ping();
      }
    }, PING_MS);
  connection.onChange = (lost) => {
    banner.hidden = !lost;
    setText(text, lost ? "The connection to the server is lost. Trying again; what runs there goes on." : "");
    if (lost) {
      ping();
    } else {
      notice("Connected again.");
      onBack();
    }
  };
}

async function start() {
  const page = new Page();
  try {
    await page.start();
  } catch (error) {
    const again = h(
      "button",
      { type: "button", class: "button", onclick: () => location.reload() },
      icon("retry"),
      "Try again",
    );
    show(
      place("main"),
      h(
        "section",
        { class: "card ending" },
        h("h1", { tabindex: "-1" }, "Parley cannot be reached"),
        h("p", { role: "alert" }, inWords(error)),
        h("p", {}, again),
      ),
    );
  }
}

window.addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof ApiError) {
    warn(event.reason);
  }
});
start();
