import { boundingBox, offset, type Point, type SceneBox } from './geometry.ts';

/** A stroke of metal: what implants, markers, rings and cables are made of. */
export interface Rod {
  readonly from: Point;
  readonly to: Point;
  readonly halfWidth: number;
  /** Added to the picture before it is cut off at white, which is 1. */
  readonly brightness: number;
  /** Centres and radius of holes. */
  readonly holes: readonly Point[];
  readonly holeRadius: number;
  /** Distance between threads of a screw; 0 for a smooth rod. */
  readonly thread: number;
}

/** A rod without holes or threads. */
export function plainRod(from: Point, to: Point, halfWidth: number, brightness: number): Rod {
  return { from, to, halfWidth, brightness, holes: [], holeRadius: 0, thread: 0 };
}

/** Rods through all points in turn. */
export function polyline(points: readonly Point[], halfWidth: number, brightness: number): Rod[] {
  return points.slice(1).map((to, index) => plainRod(points[index] as Point, to, halfWidth, brightness));
}

/** A screw: threaded shaft and a wide head at `from`. */
export function screw(from: Point, to: Point, halfWidth: number, brightness: number): Rod[] {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const axis = { x: (to.x - from.x) / length, y: (to.y - from.y) / length };
  const shaft = { ...plainRod(from, to, halfWidth, brightness), thread: halfWidth * 1.6 };
  return [shaft, plainRod(offset(from, axis, 0, halfWidth), offset(from, axis, 0, -halfWidth), halfWidth, brightness)];
}

/** A plate with evenly spaced screw holes. */
export function plate(
  middle: Point,
  axis: Point,
  length: number,
  halfWidth: number,
  holes: number,
  brightness: number,
): Rod {
  const centres = Array.from({ length: holes }, (_, index) =>
    offset(middle, axis, length * ((index + 0.5) / holes - 0.5)),
  );
  return {
    ...plainRod(offset(middle, axis, -length / 2), offset(middle, axis, length / 2), halfWidth, brightness),
    holes: centres,
    holeRadius: halfWidth * 0.55,
  };
}

/** The smallest box that holds all rods, widened by `margin` on each side, in the rods' own units. */
export function rodsBox(rods: readonly Rod[], margin: number): SceneBox {
  const widest = Math.max(...rods.map((rod) => rod.halfWidth));
  return boundingBox(
    rods.flatMap((rod) => [rod.from, rod.to]),
    widest + margin,
  );
}
