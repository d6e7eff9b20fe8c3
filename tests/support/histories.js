'use strict';
// Generated histories: a seeded generator of what may happen, and the shortest history that still goes wrong.

/** Numbers that repeat for a seed (mulberry32): whole(n) is 0 … n-1, one(list) a member, chance(p) true or false. */
function dice(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const whole = (n) => Math.floor(next() * n);
  return { whole, one: (list) => list[whole(list.length)], chance: (share) => next() < share };
}

/**
 * The shortest history found that still fails: leaves out halves, quarters … single steps as long as it does.
 * `fails(steps)` gives the reason or undefined.
 */
async function shrink(steps, fails, tries = 30) {
  let [shortest, reason] = [steps, undefined];
  for (let piece = steps.length >> 1; piece >= 1; piece >>= 1) {
    for (let at = 0; at < shortest.length && tries > 0; tries--) {
      const shorter = [...shortest.slice(0, at), ...shortest.slice(at + piece)];
      const why = shorter.length < shortest.length && shorter.length > 0 ? await fails(shorter) : undefined;
      if (why) [shortest, reason] = [shorter, why];
      else at += piece;
    }
  }
  return { steps: shortest, reason };
}

module.exports = { dice, shrink };
