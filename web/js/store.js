// What the nodes last showed, kept in the browser by fingerprint, so that a workflow file holds the fingerprint alone.

const PREFIX = "cotj.plan.";
const MOST = 48; // records
const MOST_CHARACTERS = 2_000_000; // of the 5 million that a browser grants to the whole host
const memory = new Map(); // the same records, for when the browser keeps nothing

/** Keeps a record; gives its fingerprint. */
export function keep(record) {
  const text = JSON.stringify(record);
  const id = hash(text);
  memory.delete(id);
  memory.set(id, text);
  for (const old of memory.keys()) {
    if (memory.size <= MOST) break;
    memory.delete(old);
  }
  try {
    localStorage.setItem(PREFIX + id, JSON.stringify({ used: Date.now(), text }));
  } catch {
    // full, or forbidden: the memory still has it
  }
  tidy();
  return id;
}

/** The record with this fingerprint, or null. */
export function recall(id) {
  let text = memory.get(id);
  try {
    text ??= JSON.parse(localStorage.getItem(PREFIX + id))?.text;
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** Forgets the records kept longest ago, beyond as many as are kept. */
function tidy() {
  try {
    const kept = Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX))
      .map((key) => ({ key, size: localStorage.getItem(key).length, used: usedAt(key) }))
      .sort((a, b) => b.used - a.used);
    let size = 0;
    kept.forEach((entry, i) => {
      size += entry.size;
      if (i >= MOST || (i > 0 && size > MOST_CHARACTERS)) localStorage.removeItem(entry.key);
    });
  } catch {
    // no storage to tidy
  }
}

function usedAt(key) {
  // Not parsed: a record is long, and its date comes first.
  return Number(/"used":(\d+)/.exec(localStorage.getItem(key).slice(0, 40))?.[1] ?? 0);
}

/** A 53-bit fingerprint of a text (cyrb53's mixing of two 32-bit halves), in base 36. */
export function hash(text) {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36);
}
