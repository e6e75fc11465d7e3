// Ellipses and lines in pixels of the picture; points are [row, col], angles in degrees.

const RADIANS = Math.PI / 180;
const LEAST_AXIS_PX = 3;

const plus = (p, q, times = 1) => [p[0] + times * q[0], p[1] + times * q[1]];
export const minus = (p, q) => [p[0] - q[0], p[1] - q[1]];
const dot = (p, q) => p[0] * q[0] + p[1] * q[1];
export const length = (p) => Math.hypot(p[0], p[1]);
export const middle = (p, q) => [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];

/** Unit vectors of the long and the short axis, as `geometry.Ellipse.directions` has them. */
export function directions(ellipse) {
  const angle = ellipse.angle_deg * RADIANS;
  const long = [Math.sin(angle), Math.cos(angle)];
  return [long, [long[1], -long[0]]];
}

/** The end of an axis: axis 0 is the long one, side is 1 or -1. */
export function axisEnd(ellipse, axis, side) {
  const unit = directions(ellipse)[axis];
  return plus(ellipse.center_px, unit, side * ellipse.semi_axes_px[axis]);
}

/** Move the end of an axis to a point; the opposite end and the angle stay. */
export function withAxisEnd(ellipse, axis, side, point) {
  const unit = directions(ellipse)[axis];
  const fixed = axisEnd(ellipse, axis, -side);
  const reach = side * dot(minus(point, fixed), unit);
  const semi = Math.max(reach / 2, LEAST_AXIS_PX);
  const axes = [...ellipse.semi_axes_px];
  axes[axis] = semi;
  return { ...ellipse, center_px: plus(fixed, unit, side * semi), semi_axes_px: axes };
}

export const withCenter = (ellipse, point) => ({ ...ellipse, center_px: [...point] });

/** Turn the long axis towards a point. */
export function turnedTo(ellipse, point) {
  const [row, col] = minus(point, ellipse.center_px);
  return { ...ellipse, angle_deg: Math.atan2(row, col) / RADIANS };
}

export const turnedBy = (ellipse, degrees) => ({
  ...ellipse,
  angle_deg: ellipse.angle_deg + degrees,
});

/** The same ellipse as the server wants it: the long axis first, the angle from 0 to 180. */
export function proper(ellipse) {
  const [a, b] = ellipse.semi_axes_px;
  const angle = b > a ? ellipse.angle_deg + 90 : ellipse.angle_deg;
  return {
    center_px: ellipse.center_px.map(rounded),
    semi_axes_px: [Math.max(a, b), Math.min(a, b)].map(rounded),
    angle_deg: rounded((((angle % 180) + 180) % 180) % 180),
  };
}

export const rounded = (number) => Math.round(number * 1000) / 1000;

const STEPS = 720;

/** How long an outline or a line is: in mm where the scale [row, col] is known, else in pixels. */
export function extent({ ends, ...ellipse }, scale) {
  const [row, col] = scale ?? [1, 1];
  const far = (p, q) => Math.hypot((p[0] - q[0]) * row, (p[1] - q[1]) * col);
  if (ends) return far(...ends);
  const [long, short] = directions(ellipse);
  const [a, b] = ellipse.semi_axes_px;
  const at = (k) => {
    const angle = (2 * Math.PI * k) / STEPS;
    return plus(plus([0, 0], long, a * Math.cos(angle)), short, b * Math.sin(angle));
  };
  let sum = 0;
  for (let k = 0; k < STEPS; k += 1) sum += far(at(k), at(k + 1));
  return sum;
}

/** The ends of the straight measurements of a finding, by name. */
export function lines(finding) {
  return finding?.points_px ?? {};
}

/** An ellipse whose long axis was drawn from one point to another. */
export function drawnEllipse(from, to, plane) {
  const [row, col] = minus(to, from);
  const long = length([row, col]) / 2;
  const ratio = plane === "head" ? 0.79 : 0.95;
  return {
    center_px: middle(from, to),
    semi_axes_px: [long, Math.max(long * ratio, LEAST_AXIS_PX)],
    angle_deg: Math.atan2(row, col) / RADIANS,
  };
}
