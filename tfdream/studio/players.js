"use strict";
// The listeners are on the root, because the template replaces the players with every result.
const players = () => [...element.querySelectorAll(".player")].map((figure) => ({
  sound: figure.querySelector("audio"),
  button: figure.querySelector(".switch"),
}));
let position = 0;

function play(player) {
  for (const { sound } of players()) {
    if (!sound.paused) position = sound.currentTime;
    if (sound !== player.sound) sound.pause();
  }
  const { sound } = player;
  if (sound.paused) sound.currentTime = Math.min(position, sound.duration || position);
  sound.play();
}

element.addEventListener("click", (event) => {
  const button = event.target.closest(".switch");
  const player = players().find((each) => each.button === button);
  if (player) play(player);
});
element.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const player = players()[Number(event.key) - 1];
  if (player) play(player);
});
// Events of sounds do not bubble, but are captured.
element.addEventListener("play", (event) => {
  for (const video of element.querySelectorAll("video")) {
    if (video !== event.target) video.pause();
  }
  for (const { sound, button } of players()) {
    const isPlaying = sound === event.target;
    if (!isPlaying && !sound.paused) {
      position = sound.currentTime;
      sound.pause();
    }
    button.setAttribute("aria-pressed", String(isPlaying));
  }
}, true);
element.addEventListener("pause", (event) => {
  if (event.target instanceof HTMLAudioElement) position = event.target.currentTime;
}, true);
