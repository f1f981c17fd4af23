import fc from "fast-check";
import { expect, test } from "vitest";
import {
  across,
  areaPath,
  barsPath,
  down,
  durationTicksTo,
  HEIGHT,
  linePath,
  nearest,
  ticksTo,
  WIDTH,
} from "../../web/src/ui/scale.ts";

test("lines stand at round values, from 0 to at least the largest", () => {
  expect(ticksTo(72)).toEqual([0, 20, 40, 60, 80]);
  expect(ticksTo(0.3)).toEqual([0, 0.1, 0.2, 0.3]);
  expect(ticksTo(3, 4, true)).toEqual([0, 1, 2, 3]);
  expect(ticksTo(1, 4, true)).toEqual([0, 1]);
  expect(ticksTo(0, 4, true)).toEqual([0, 1]);
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), (largest) => {
      const ticks = ticksTo(largest);
      expect(ticks[0]).toBe(0);
      expect(ticks.at(-1)! * (1 + 1e-9)).toBeGreaterThanOrEqual(largest);
      // None too many, and none that is not needed.
      expect(ticks.length).toBeLessThanOrEqual(5);
      expect(ticks.at(-2)! * (1 - 1e-9)).toBeLessThan(largest);
    }),
  );
});

test("durations are round as clocks are", () => {
  expect(durationTicksTo(50_000)).toEqual([0, 15_000, 30_000, 45_000, 60_000]);
  expect(durationTicksTo(4_000)).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
  expect(durationTicksTo(7_000_000)).toEqual([0, 1_800_000, 3_600_000, 5_400_000, 7_200_000]);
  expect(durationTicksTo(0)).toEqual([0]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 ** 10 }), (largest) => {
      const ticks = durationTicksTo(largest);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(largest);
      expect(ticks.length).toBeLessThanOrEqual(5);
    }),
  );
});

test("a value lies where it belongs, and none outside", () => {
  expect(across(5, 0, 10)).toBe(WIDTH / 2);
  expect(across(5, 5, 5)).toBe(WIDTH);
  expect(down(0, 10)).toBe(HEIGHT);
  expect(down(10, 10)).toBe(0);
  expect(down(20, 10)).toBe(0);
  expect(down(0, 0)).toBe(HEIGHT);
});

test("a line is broken where nothing is known, and its ground with it", () => {
  const points = [
    { x: 0, y: 10 },
    { x: 1, y: 20 },
    { x: 2, y: null },
    { x: 3, y: 30 },
  ];
  expect(linePath(points)).toBe("M0 10L1 20M3 30h0.01");
  expect(areaPath(points)).toBe("M0 100L0 10L1 20L1 100ZM3 100L3 30L3 100Z");
  expect(linePath([{ x: 0, y: null }])).toBe("");
});

test("bars stand on those below them, and there is none for nothing", () => {
  expect(barsPath([1, 0], 2)).toBe("M2 100V50h496V100Z");
  expect(barsPath([1, 1], 2, [1, 0])).toBe("M2 50V0h496V50ZM502 100V50h496V100Z");
});

test("the nearest of ascending values", () => {
  expect(nearest([], 3)).toBe(-1);
  expect(nearest([1, 4, 9], -5)).toBe(0);
  expect(nearest([1, 4, 9], 6)).toBe(1);
  expect(nearest([1, 4, 9], 7)).toBe(2);
  expect(nearest([1, 4, 9], 99)).toBe(2);
});
