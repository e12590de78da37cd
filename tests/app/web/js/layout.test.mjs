import assert from "node:assert/strict";
import { test } from "node:test";

import {
  LARGEST_SCALE,
  centreWithin,
  fittedScale,
  heldCentre,
  settledView,
  shiftIntoSight,
  zoomedCentre,
  zoomedScale,
} from "../../../../app/web/static/layout.js";

const STAGE = { width: 800, height: 600 };

test("a drawing is fitted by the side that is tighter, and a small one is blown up by 15 % at most", () => {
  assert.equal(fittedScale({ width: 1600, height: 600 }, STAGE), 0.5);
  assert.equal(fittedScale({ width: 800, height: 1200 }, STAGE), 0.5);
  assert.equal(fittedScale({ width: 80, height: 60 }, STAGE), 1.15);
});

test("what fits is shown whole, also while it grows", () => {
  const newest = { x: 700, y: 500, width: 100, height: 100 };
  assert.deepEqual(settledView({ width: 800, height: 600 }, STAGE, newest), { scale: 1, centre: { x: 400, y: 300 } });
});

test("what would be unreadable is shown around its newest box, within the drawing", () => {
  const drawing = { width: 8000, height: 600 };
  const middle = settledView(drawing, STAGE, { x: 3950, y: 250, width: 100, height: 100 });
  assert.deepEqual(middle, { scale: 0.55, centre: { x: 4000, y: 300 } });
  const end = settledView(drawing, STAGE, { x: 7900, y: 250, width: 100, height: 100 });
  assert.equal(end.centre.x + STAGE.width / end.scale / 2, 8000);
  assert.equal(settledView(drawing, STAGE, null).scale, 0.1);
});

test("the point under the fingers stays where it is", () => {
  const [centre, fixed, before, after] = [{ x: 100, y: 50 }, { x: 160, y: 20 }, 0.8, 2];
  const moved = zoomedCentre(centre, fixed, before / after);
  // on the screen: (fixed - centre) * scale
  assert.ok(Math.abs((fixed.x - moved.x) * after - (fixed.x - centre.x) * before) < 1e-9);
  assert.ok(Math.abs((fixed.y - moved.y) * after - (fixed.y - centre.y) * before) < 1e-9);
});

test("zooming ends at its bounds", () => {
  assert.equal(zoomedScale(2, 100), LARGEST_SCALE);
  assert.equal(zoomedScale(0.1, 1e-6), 0.05);
  assert.equal(zoomedScale(1, 1.25), 1.25);
});

test("the drawing never leaves the sight", () => {
  const seen = { width: 400, height: 300 };
  const drawing = { width: 1000, height: 1000 };
  assert.deepEqual(heldCentre({ x: -900, y: 9000 }, seen, drawing), { x: -120, y: 1090 });
  assert.deepEqual(heldCentre({ x: 10, y: 20 }, seen, drawing), { x: 10, y: 20 });
});

test("what is in sight is not moved, what is not comes in with a margin", () => {
  assert.equal(shiftIntoSight(20, 100, 400), 0);
  assert.equal(shiftIntoSight(-30, 50, 400), 38);
  assert.equal(shiftIntoSight(350, 450, 400), -58);
  assert.equal(shiftIntoSight(300, 900, 400), -292); // too large: its start is what counts
});

test("a centre stays within, and is the middle where everything fits", () => {
  assert.equal(centreWithin(10, 100, 300), 50);
  assert.equal(centreWithin(290, 100, 300), 250);
  assert.equal(centreWithin(10, 400, 300), 150);
});
