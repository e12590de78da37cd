// @ts-check
/** Numbers as a reader wants them. */

export const PIXELS_PER_TOKEN = 1024; // of a Qwen3-VL: one visual token is 32 x 32 pixels

const NUMBERS = new Intl.NumberFormat("en-GB");

/**
 * `12,345`; a dash for what is not known.
 * @param {number | null | undefined} value
 */
export function count(value) {
  return value === null || value === undefined ? "–" : NUMBERS.format(value);
}

/**
 * `1 item`, `3 items`.
 * @param {number | null | undefined} value
 * @param {string} singular
 * @param {string} plural
 */
export function counted(value, singular, plural = `${singular}s`) {
  return `${count(value)} ${value === 1 ? singular : plural}`;
}

/**
 * `0:07`, `12:30.5`, `1:02:03`: seconds into a clip.
 * @param {number} seconds
 */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const whole = Math.floor(tenths / 10);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const second = String(whole % 60).padStart(2, "0");
  const shown = hours ? `${hours}:${String(minutes).padStart(2, "0")}:${second}` : `${minutes}:${second}`;
  return tenths % 10 ? `${shown}.${tenths % 10}` : shown;
}

/**
 * How long something took: `8.4 s`, `2 min 5 s`.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

/**
 * `3.4 MB`.
 * @param {number} number
 */
export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let scaled = number;
  let unit = 0;
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${unit && scaled < 9.95 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]}`;
}

/**
 * `640 × 480 px · 300 tokens`: an image as the model was shown it.
 * @param {number} width
 * @param {number} height
 */
export function shownSize(width, height) {
  return `${width} × ${height} px · ${counted(Math.floor((width * height) / PIXELS_PER_TOKEN), "token")}`;
}

/**
 * A number with so many decimals; a dash for what is not known.
 * @param {number | null | undefined} value
 * @param {number} digits
 */
export function decimal(value, digits = 2) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

/**
 * A signed number, for advantages.
 * @param {number | null | undefined} value
 * @param {number} digits
 */
export function signed(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}`;
}
