"""Ellipses, and their fit to the points of an outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.geometry.affine import Matrix, Points

#: An ellipse has five parameters; fewer points than this say too little about it.
MIN_POINTS = 12


def ellipse_circumference(semi_a: float, semi_b: float) -> float:
    """Return the circumference of an ellipse, in the unit of its semi-axes.

    Relative error below 1e-7 for axis ratios of 0.3 and above.

    References:
        Ramanujan S. Modular equations and approximations to pi. Q J Math 1914;45:350-372,
        second formula: pi (a + b) (1 + 3h / (10 + sqrt(4 - 3h))), h = ((a - b) / (a + b))^2.
    """
    h = ((semi_a - semi_b) / (semi_a + semi_b)) ** 2
    return float(np.pi * (semi_a + semi_b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h))))


@dataclass(frozen=True)
class Ellipse:
    """An ellipse: centre (row, col), semi-axes (a >= b > 0), direction of the long axis."""

    center: tuple[float, float]
    semi_axes: tuple[float, float]
    angle_deg: float

    def __post_init__(self) -> None:
        numbers = (*self.center, *self.semi_axes, self.angle_deg)
        a, b = self.semi_axes
        if not all(np.isfinite(numbers)) or not a >= b > 0:
            raise MeasurementError(f"not an ellipse: semi-axes {a:g} and {b:g}")
        if not 0 <= self.angle_deg < 180:
            # twice: the remainder of a tiny negative angle rounds to 180 itself
            object.__setattr__(self, "angle_deg", self.angle_deg % 180 % 180)

    @classmethod
    def from_shape(cls, center: Points, shape: Matrix) -> Ellipse:
        """Build the ellipse {c + x : x' S^-1 x = 1} from its symmetric 2x2 shape matrix S."""
        values, vectors = np.linalg.eigh(shape)  # ascending
        if not np.all(np.isfinite(values)) or values[0] <= 0:
            raise MeasurementError("not an ellipse: its shape matrix is not positive")
        row, col = vectors[:, 1]
        angle = float(np.degrees(np.arctan2(row, col)))
        b, a = (float(v) for v in np.sqrt(values))
        return cls((float(center[0]), float(center[1])), (a, b), angle)

    @property
    def circumference(self) -> float:
        """Circumference by Ramanujan's second formula, in the unit of the axes."""
        return ellipse_circumference(*self.semi_axes)

    @property
    def area(self) -> float:
        """Area, in the squared unit of the axes."""
        return float(np.pi * self.semi_axes[0] * self.semi_axes[1])

    @property
    def directions(self) -> Matrix:
        """Unit vectors (row, col) of the long and the short axis, as rows of a 2x2 array."""
        angle = np.radians(self.angle_deg)
        long = (np.sin(angle), np.cos(angle))
        return np.array([long, (long[1], -long[0])])

    @property
    def shape(self) -> Matrix:
        """The symmetric 2x2 matrix S of the form {c + x : x' S^-1 x = 1}."""
        u = self.directions
        return np.asarray(u.T @ np.diag(np.square(self.semi_axes)) @ u)

    @property
    def axis_points(self) -> Points:
        """The four ends of the axes (4, 2): long axis first, then short."""
        u = self.directions
        a, b = self.semi_axes
        ends = np.array([-a * u[0], a * u[0], -b * u[1], b * u[1]])
        return np.asarray(ends + np.array(self.center))

    def points(self, count: int = 360) -> Points:
        """Return points (count, 2) on the ellipse, evenly spaced in the eccentric angle."""
        t = np.linspace(0, 2 * np.pi, count, endpoint=False)
        circle = np.stack([np.cos(t), np.sin(t)], axis=1) * self.semi_axes
        return np.asarray(np.array(self.center) + circle @ self.directions)

    def chord(self, direction: Points) -> Points:
        """Return the two ends (2, 2) of the chord through the centre along a (row, col) vector.

        Raises:
            MeasurementError: the vector has no direction.
        """
        length = float(np.linalg.norm(direction))
        if not 0 < length < np.inf:
            raise MeasurementError("a chord needs a direction, got a vector without one")
        # the direction meets the ellipse where its elliptic radius is one
        half = direction / float(self.level(np.array(self.center) + direction))
        return np.asarray(np.array(self.center) + np.array([-half, half]))

    def scaled(self, row: float, col: float) -> Ellipse:
        """Return the ellipse with its rows and columns multiplied: pixels to mm, or back."""
        return self.transformed(np.array([[row, 0.0, 0.0], [0.0, col, 0.0]]))

    def transformed(self, matrix: Matrix) -> Ellipse:
        """Return the image of the ellipse under a 2x3 affine map of (row, col, 1)."""
        linear, shift = matrix[:, :2], matrix[:, 2]
        center = linear @ np.array(self.center) + shift
        return Ellipse.from_shape(center, linear @ self.shape @ linear.T)

    def level(self, points: Points) -> NDArray[np.float64]:
        """Return, for points (..., 2), their elliptic radius: below 1 inside, 1 on the edge."""
        local = (points - np.array(self.center)) @ self.directions.T / self.semi_axes
        return np.asarray(np.hypot(local[..., 0], local[..., 1]))

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the (H, W) mask of the pixels whose centre lies inside."""
        rows, cols = np.mgrid[: shape[0], : shape[1]]
        return np.asarray(self.level(np.stack([rows, cols], axis=-1)) <= 1)


def _on_unit_circle(
    ellipse: Ellipse, points: Points
) -> tuple[Points, NDArray[np.float64], NDArray[np.float64]]:
    """Return points (N, 2) in the frame where the ellipse is the unit circle.

    Unit vectors (N, 2) along the long and the short axis, radii (N,), and how far in pixels a
    point moves while its radius grows by one (N,).
    """
    axes = np.array(ellipse.semi_axes)
    local = (points - np.array(ellipse.center)) @ ellipse.directions.T / axes
    radius = np.hypot(local[:, 0], local[:, 1])
    # the centre has no direction: it is as near to the edge as the short axis
    unit = np.tile([0.0, 1.0], (len(points), 1))
    np.divide(local, radius[:, None], out=unit, where=radius[:, None] > 0)
    return unit, radius, 1 / np.linalg.norm(unit / axes, axis=1)


def distances_to(ellipse: Ellipse, points: Points) -> NDArray[np.float64]:
    """Return signed distances (N,) of points from an ellipse: positive outside.

    First-order (Sampson) distance, taken on the radius so that far points stay linear: exact
    along the axes, elsewhere off by second order in distance over radius.

    References:
        Sampson PD. Fitting conic sections to "very scattered" data. CGIP 1982;18:97-108.
    """
    _, radius, reach = _on_unit_circle(ellipse, points)
    return (radius - 1) * reach


def _direct_fit(points: Points) -> Ellipse:
    """Direct least-squares ellipse: a start from nowhere, too small on a noisy part of one.

    References:
        Halir R, Flusser J. Numerically stable direct least squares fitting of ellipses.
        WSCG 1998, 125-132.
    """
    center = points.mean(axis=0)
    scale = float(np.sqrt(np.mean((points - center) ** 2))) or 1.0
    y, x = ((points - center) / scale).T
    quadratic = np.stack([x * x, x * y, y * y], axis=1)
    linear = np.stack([x, y, np.ones_like(x)], axis=1)
    s1, s2, s3 = quadratic.T @ quadratic, quadratic.T @ linear, linear.T @ linear
    try:
        back = -np.linalg.solve(s3, s2.T)
        reduced = s1 + s2 @ back
        constrained = np.array([reduced[2] / 2, -reduced[1], reduced[0] / 2])
        _, vectors = np.linalg.eig(constrained)
    except np.linalg.LinAlgError:
        raise MeasurementError("the outline is a line or a point, not an ellipse") from None
    vectors = vectors.real
    valid = 4 * vectors[0] * vectors[2] - vectors[1] ** 2 > 0
    if not valid.any():
        raise MeasurementError("no ellipse fits the outline")
    a, b, c = vectors[:, np.flatnonzero(valid)[0]]
    d, e, f = back @ np.array([a, b, c])
    # a x2 + b xy + c y2 + d x + e y + f = 0, in (row, col) order from here on
    conic = np.array([[c, b / 2], [b / 2, a]])
    inverse = np.linalg.inv(conic)
    middle = -inverse @ np.array([e, d]) / 2
    level = middle @ conic @ middle - f
    return Ellipse.from_shape(middle * scale + center, inverse * level * scale**2)


def _refined(ellipse: Ellipse, points: Points, weights: NDArray[np.float64]) -> Ellipse:
    """Take one Gauss-Newton step towards the least weighted squared distances.

    Where the ellipse is the unit circle, a shift s and a symmetric stretch 1 + E move its edge
    at the unit vector n outwards by n's + n'En.
    """
    n, radius, reach = _on_unit_circle(ellipse, points)
    change = np.column_stack([n, n[:, 0] ** 2, 2 * n[:, 0] * n[:, 1], n[:, 1] ** 2])  # (N, 5)
    weighted = change * (weights * reach**2)[:, None]
    try:
        *shift, e00, e01, e11 = np.linalg.solve(weighted.T @ change, weighted.T @ (radius - 1))
    except np.linalg.LinAlgError:
        raise MeasurementError("no ellipse fits the outline") from None
    back = ellipse.directions.T * ellipse.semi_axes  # from the unit circle to pixels
    stretched = back @ np.array([[1 + e00, e01], [e01, 1 + e11]])
    return Ellipse.from_shape(ellipse.center + back @ shift, stretched @ stretched.T)


@dataclass(frozen=True)
class EllipseFit:
    """An ellipse, the RMS distance of the outline from it, and the share of points it uses."""

    ellipse: Ellipse
    residual: float
    inliers: float


def fit_ellipse(points: Points, *, rounds: int = 10) -> EllipseFit:
    """Fit an ellipse to outline points (N, 2), holding off outliers.

    The weighted sum of squared distances is minimised; a point's weight falls with its distance
    (Tukey's biweight). A part of an outline is fitted without bias, which algebraic fits are not.

    Raises:
        MeasurementError: fewer than `MIN_POINTS` points, or they do not lie on an ellipse.

    References:
        Halir and Flusser 1998 (start), Sampson 1982 (distance), Beaton AE, Tukey JW.
        Technometrics 1974;16:147-185 (weights).
    """
    if len(points) < MIN_POINTS:
        raise MeasurementError(f"an ellipse needs {MIN_POINTS} outline points, got {len(points)}")
    ellipse = _direct_fit(points)
    weights = np.ones(len(points))
    for _ in range(rounds):
        distance = distances_to(ellipse, points)
        spread = 1.4826 * float(np.median(np.abs(distance)))
        limit = 4.685 * max(spread, 1e-3 * ellipse.semi_axes[1])
        weights = np.square(np.clip(1 - np.square(distance / limit), 0, None))
        if np.count_nonzero(weights) < MIN_POINTS:
            raise MeasurementError("no ellipse fits the outline")
        ellipse = _refined(ellipse, points, weights)
    distance = distances_to(ellipse, points)
    return EllipseFit(
        ellipse, float(np.sqrt(np.mean(np.square(distance)))), float(np.mean(weights > 0))
    )
