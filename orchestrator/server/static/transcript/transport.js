/** The player's buttons: play, five seconds on and back, time, speed. */

import { h, setText } from "../dom.js";
import { clock } from "./clock.js";
import { RATES, STEP_S } from "./player.js";
import { drawInstead, symbol } from "./symbols.js";

/** Make the buttons; nothing where there is no recording. @param {import("./player.js").Player} player */
export function transport(player) {
  const time = h("span", { class: "time-now" }, "0:00");
  const total = h("span", { class: "time-total" }, ` / ${clock(player.duration)}`);
  const play = iconButton("play", "Play", () => player.toggle(), "play");
  const goOn = () => play.focus({ preventScroll: true });
  const rate = rateChoice(player, goOn);
  const fault = faultOf(player, goOn);
  const controls = h(
    "div",
    { class: "transport", role: "group", "aria-label": "Player" },
    iconButton("back", `Back ${STEP_S} seconds`, () => player.seek(player.time - STEP_S)),
    play,
    iconButton("forward", `Forward ${STEP_S} seconds`, () => player.seek(player.time + STEP_S)),
    h("span", { class: "times" }, time, total),
    rate,
  );
  player.subscribe((what) => {
    setText(time, clock(player.time));
    if (what !== "time") {
      setText(total, ` / ${clock(player.duration)}`);
      showState(play, player.playing);
      rate.value = String(player.rate);
      fault.hidden = player.available;
      controls.hidden = !player.available;
    }
  });
  return player.available ? [controls, fault] : [];
}

/** Make a button that shows only a symbol. */
export function iconButton(name, label, onclick, extra = "") {
  const attributes = { type: "button", class: `icon-button ${extra}`, "aria-label": label, title: label, onclick };
  return h("button", attributes, symbol(name));
}

/** Let a button do nothing for now; unlike a disabled one it keeps the focus. */
export function disable(button, off) {
  button.setAttribute("aria-disabled", String(off));
}

function faultOf(player, onRetry) {
  const retry = () => {
    player.retry();
    onRetry();
  };
  const text = h("p", { role: "alert" }, "The recording cannot be played.");
  const again = h("button", { type: "button", class: "again", onclick: retry }, "Try again");
  return h("div", { class: "player-fault", hidden: true }, text, again);
}

/** The keys of the player are not the list's, so that the focus goes on once a speed is chosen. */
function rateChoice(player, onChosen) {
  const choose = () => {
    player.setRate(Number(choice.value));
    onChosen();
  };
  const options = RATES.map((rate) => h("option", { value: rate, selected: rate === 1 }, `${rate}×`));
  const choice = h("select", { class: "rate", "aria-label": "Playback speed", onchange: choose }, options);
  return choice;
}

function showState(button, playing) {
  drawInstead(button, playing ? "pause" : "play");
  button.setAttribute("aria-label", playing ? "Pause" : "Play");
  button.title = playing ? "Pause" : "Play";
}
