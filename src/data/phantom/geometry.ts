/** A place or a direction; y points down, as image rows do. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A box in scene units (the image's long side is 1). */
export interface SceneBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Looks at the body: a similarity from body units to scene units, where the image's long side is 1. */
export interface Camera {
  /** Body point that comes to lie at `centre`. */
  readonly focus: Point;
  /** Scene point. */
  readonly centre: Point;
  /** Radians. */
  readonly angle: number;
  /** Scene units per body unit. */
  readonly zoom: number;
  readonly mirror: boolean;
}

/** Direction of a body direction on the scene, not scaled. */
export function turn(camera: Camera, { x, y }: Point): Point {
  const cos = Math.cos(camera.angle);
  const sin = Math.sin(camera.angle);
  const across = camera.mirror ? -x : x;
  return { x: cos * across - sin * y, y: sin * across + cos * y };
}

/** Scene point of a body point. */
export function project(camera: Camera, point: Point): Point {
  const turned = turn(camera, { x: point.x - camera.focus.x, y: point.y - camera.focus.y });
  return { x: camera.centre.x + camera.zoom * turned.x, y: camera.centre.y + camera.zoom * turned.y };
}

/** `point` turned by `angle` radians about `pivot`. */
export function rotateAbout(point: Point, pivot: Point, angle: number): Point {
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const x = point.x - pivot.x;
  const y = point.y - pivot.y;
  return { x: pivot.x + cos * x - sin * y, y: pivot.y + sin * x + cos * y };
}

/** `from` moved by `along` in direction `axis`, and by `across` in the direction 90 degrees from it. */
export function offset(from: Point, axis: Point, along: number, across = 0): Point {
  return { x: from.x + axis.x * along - axis.y * across, y: from.y + axis.y * along + axis.x * across };
}

/** The point a fraction `t` of the way from `a` to `b`. */
export function between(a: Point, b: Point, t: number): Point {
  return { x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t };
}

/** The smallest box that holds all points, widened by `margin` on each side. */
export function boundingBox(points: readonly Point[], margin = 0): SceneBox {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const x = Math.min(...xs) - margin;
  const y = Math.min(...ys) - margin;
  return { x, y, width: Math.max(...xs) + margin - x, height: Math.max(...ys) + margin - y };
}
