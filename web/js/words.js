// The words of the widgets in the language of the host's page. An English text, with the names of its values in braces,
// is its own key, and stands where its language has no other: locales/<language>/main.json, which the host serves.

const ENGLISH = "en";
let texts = {}; // by language, and English text
let languageNow = () => ENGLISH;

/** Takes the locales that the host has of all packs, and what gives the language, such as "zh" or "zh-TW". */
export function useLocales(locales, language) {
  texts = Object.fromEntries(Object.entries(locales).map(([name, locale]) => [name, locale.cotj?.widget ?? {}]));
  languageNow = language;
}

/** The language of the page, as the host's setting has it. */
export const language = () => languageNow() || ENGLISH;

/** A text in the language of the page, with these values in place of their names. */
export function say(text, values = {}) {
  const [whole] = [language(), language().split("-")[0]].flatMap((name) => texts[name]?.[text] ?? []);
  return (whole ?? text).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** What there is of these, one after the other. */
export const list = (parts) => parts.filter(Boolean).join(say(", "));

/** The lines of a reason as sentences of one text. */
export const sentences = (text) =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => say("{sentence}. ", { sentence: `${line[0].toUpperCase()}${line.slice(1).replace(/[.:。：]$/, "")}` }))
    .join("")
    .trim();
