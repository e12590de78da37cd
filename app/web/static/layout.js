// @ts-check
/** The arithmetic of a drawing that is seen through a stage: scales in screen pixels per drawing unit, no element touched. */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{width: number, height: number}} Size */

export const LARGEST_SCALE = 3;
const SMALLEST_SCALE = 0.05;
const FITTED_SCALE = 1.15; // a small drawing is not blown up further than this
const READABLE_SCALE = 0.55; // a growing drawing is not shrunk further than this
const OVERHANG = 0.3; // of what is seen, how far its centre may leave the drawing
const MARGIN = 8; // pixels around what is brought into sight

/**
 * The scale that shows the whole of `drawing` in `stage`.
 * @param {Size} drawing
 * @param {Size} stage
 */
export function fittedScale(drawing, stage) {
  return Math.min(stage.width / drawing.width, stage.height / drawing.height, FITTED_SCALE);
}

/**
 * Where to look while a drawing grows: all of it, or around its newest box where that would become unreadable.
 * @param {Size} drawing
 * @param {Size} stage
 * @param {(Point & Size) | null} newest in drawing units
 * @returns {{scale: number, centre: Point}}
 */
export function settledView(drawing, stage, newest) {
  const whole = fittedScale(drawing, stage);
  if (newest === null || whole >= READABLE_SCALE) {
    return { scale: whole, centre: { x: drawing.width / 2, y: drawing.height / 2 } };
  }
  const x = centreWithin(newest.x + newest.width / 2, stage.width / READABLE_SCALE, drawing.width);
  const y = centreWithin(newest.y + newest.height / 2, stage.height / READABLE_SCALE, drawing.height);
  return { scale: READABLE_SCALE, centre: { x, y } };
}

/**
 * The scale after zooming by `factor`, within its bounds.
 * @param {number} scale
 * @param {number} factor
 */
export function zoomedScale(scale, factor) {
  return Math.min(Math.max(scale * factor, SMALLEST_SCALE), LARGEST_SCALE);
}

/**
 * The centre after zooming so that `fixed` stays where it is on the screen.
 * @param {Point} centre
 * @param {Point} fixed in drawing units
 * @param {number} ratio the scale before over the scale after
 * @returns {Point}
 */
export function zoomedCentre(centre, fixed, ratio) {
  return { x: fixed.x - (fixed.x - centre.x) * ratio, y: fixed.y - (fixed.y - centre.y) * ratio };
}

/**
 * `centre`, moved so that the drawing does not leave the sight.
 * @param {Point} centre
 * @param {Size} seen in drawing units
 * @param {Size} drawing
 * @returns {Point}
 */
export function heldCentre(centre, seen, drawing) {
  return {
    x: Math.min(Math.max(centre.x, -seen.width * OVERHANG), drawing.width + seen.width * OVERHANG),
    y: Math.min(Math.max(centre.y, -seen.height * OVERHANG), drawing.height + seen.height * OVERHANG),
  };
}

/**
 * How far to move an interval so that it lies within `0..room`, its start above all.
 * @param {number} start
 * @param {number} end
 * @param {number} room
 */
export function shiftIntoSight(start, end, room) {
  if (start < MARGIN || end - start > room - 2 * MARGIN) {
    return start < MARGIN || start > room / 2 ? MARGIN - start : 0;
  }
  return end > room - MARGIN ? room - MARGIN - end : 0;
}

/**
 * A centre such that what is seen around it stays within the drawing, where it fits.
 * @param {number} centre
 * @param {number} seen
 * @param {number} size
 */
export function centreWithin(centre, seen, size) {
  return seen >= size ? size / 2 : Math.min(Math.max(centre, seen / 2), size - seen / 2);
}
