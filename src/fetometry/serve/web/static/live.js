// What a screen reader is told: short, and only after the numbers have come to rest.

import { finding } from "./state.js";
import { valueText } from "./words.js";

const REST_MS = 600;
let timer = 0;

/** Say a sentence, once. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

/** Say the numbers of the frame that is shown, when they no longer change. */
export function announceNumbers() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const numbers = finding()?.measurements ?? [];
    announce(numbers.map((m) => `${m.name} ${valueText(m.value, m.unit)}`).join(", "));
  }, REST_MS);
}
