// Loaded before the conformance suite: makes it as patient as a busy machine needs. The
// suite gives up on answers after as little as half a second, and looks for others after
// a fifth of one, which says nothing about who answers.
const setTimer = globalThis.setTimeout;
globalThis.setTimeout = (then, after, ...args) => setTimer(then, after >= 200 && after <= 2000 ? 4 * after : after, ...args);
