"use strict";
const players = [...document.querySelectorAll(".player")].map((figure) => ({
  sound: figure.querySelector("audio"),
  button: figure.querySelector(".switch"),
}));
let current = players[0];

function play(player) {
  const position = current.sound.currentTime;
  if (player !== current) {
    current.sound.pause();
    player.sound.currentTime = Math.min(position, player.sound.duration || position);
  }
  player.sound.play();
}

for (const player of players) {
  player.button.addEventListener("click", () => play(player));
  player.sound.addEventListener("play", () => {
    current = player;
    for (const other of players) {
      if (other !== player) other.sound.pause();
      other.button.setAttribute("aria-pressed", String(other === player));
    }
  });
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const player = players[Number(event.key) - 1];
  if (player) play(player);
});
