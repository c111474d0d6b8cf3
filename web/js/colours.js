// Colours: those of the host's theme, and a map for costs whose lightness alone tells them apart.

const HUES = [285, 95]; // violet to yellow: apart for every kind of colour vision, as lightness is

/** What a picture is drawn in, read from the page's theme. `key` changes whenever any of it does. */
export function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
  const ground = read("--comfy-input-bg", "#222222");
  const dark = lightness(ground) < 0.5;
  const theme = {
    dark,
    ground,
    text: read("--input-text", dark ? "#dddddd" : "#222222"),
    faint: read("--descrip-text", dark ? "#999999" : "#666666"),
    planned: dark ? "#ffffff" : "#111111",
    compared: dark ? "#ff9d76" : "#a8320a",
    font: getComputedStyle(document.body).fontFamily || "sans-serif",
  };
  return { ...theme, key: JSON.stringify(theme) };
}

/** `count` colours as 32-bit ABGR, from cheap, near to the ground, to dear: even steps of OKLab lightness. */
export function costColours(dark, count = 256) {
  const [from, to] = dark ? [0.24, 0.9] : [0.97, 0.3];
  return Uint32Array.from({ length: count }, (_, i) => {
    const share = i / (count - 1);
    const light = from + (to - from) * share;
    const brightness = dark ? share : 1 - share;
    const hue = HUES[0] + (HUES[1] - HUES[0]) * brightness;
    const chroma = 0.13 * Math.sin(Math.PI * (0.2 + 0.62 * share)) ** 0.7;
    const [r, g, b] = okLchToRgb(light, chroma, hue);
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

/** sRGB, 0 to 255 each, of a colour in OKLCH (Ottosson 2020); hue in degrees. What sRGB lacks is clipped. */
export function okLchToRgb(lightness, chroma, hue) {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((c) => {
    const encoded = c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, encoded)));
  });
}

/** How light a CSS colour is, 0 to 1 (sRGB luma). */
function lightness(colour) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}
