// Pictures that the host has kept in its temporary folder, as images that are loaded once.

import { api } from "../../../scripts/api.js";

const MOST = 96;
const loaded = new Map(); // by address, those asked for longest ago first

/** The image at a place that the server named, which may still be loading; `then` is called when it is there, or cannot be. */
export function imageAt(place, then) {
  const address = api.apiURL(`/view?${new URLSearchParams(place)}`);
  const image = loaded.get(address) ?? Object.assign(new Image(), { src: address });
  loaded.delete(address);
  loaded.set(address, image);
  if (loaded.size > MOST) loaded.delete(loaded.keys().next().value);
  if (!image.complete) for (const end of ["load", "error"]) image.addEventListener(end, then, { once: true });
  return image;
}
