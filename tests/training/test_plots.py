import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PathCollection

from fetometry.errors import OutputError
from fetometry.training import plots
from fetometry.training.cases import Size
from tests.training.judged import case, head, sized

rng = np.random.default_rng(0)
HEADS = [
    head(
        float(rng.normal(0, 3)),
        f"{i}.png",
        truth=float(rng.uniform(100, 300)),
        machine=("Aloka", "Voluson E6")[i % 2],
        flags=("poor-fit",) if i % 5 == 0 else (),
    )
    for i in range(24)
]
LOST = case("lost.png", sizes={"HC": Size(180.0)}, failure="nothing was found", machine="Aloka")
FEMURS = sized("FL", [(50.0, 51.0), (60.0, 59.0)], plane="femur")

WIDTH, HEIGHT = (round(inches * plots.DPI) for inches in plots.SIZE)


def test_every_measurement_has_both_pictures(tmp_path):
    written = plots.write_plots([LOST, *FEMURS], tmp_path / "new")
    kinds = ("bland-altman", "error-by-size")
    names = [f"{kind}-{name}.png" for name in ("HC", "FL") for kind in kinds]
    assert [path.name for path in written] == names
    for path in written:
        picture = cv2.imread(str(path))
        assert picture.shape == (HEIGHT, WIDTH, 3)
        # paper, ink, and colours beside the greys
        assert np.mean(picture == 255) > 0.3
        assert picture.min() < 80
        assert np.ptp(picture.astype(int), axis=2).max() > 80


def offsets(axes):
    drawn = [c for c in axes.collections if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(c.get_offsets()).reshape(-1, 2) for c in drawn])


def test_points_stand_at_the_mean_and_the_difference():
    (axes,) = plots.bland_altman(FEMURS, "FL").axes
    found = sorted(map(tuple, offsets(axes).tolist()))
    assert found == [(50.5, 1.0), (59.5, -1.0)]


def test_points_stand_at_the_true_size_and_the_error_in_percent():
    (axes,) = plots.error_by_size(FEMURS, "FL").axes
    found = sorted(map(tuple, offsets(axes).tolist()))
    assert found == [(50.0, 2.0), (60.0, pytest.approx(-100 / 60))]


def test_the_lines_are_bias_and_limits():
    (axes,) = plots.bland_altman(FEMURS, "FL").axes
    heights = sorted({float(line.get_ydata()[0]) for line in axes.lines})
    # differences 1 and -1: bias 0, SD sqrt(2)
    assert heights == pytest.approx([-1.96 * 2**0.5, 0, 1.96 * 2**0.5])


@pytest.mark.parametrize("draw", [plots.bland_altman, plots.error_by_size])
def test_a_failure_stands_at_the_rim_at_its_true_size(draw):
    (axes,) = draw([*HEADS, LOST], "HC").axes
    low = axes.get_ylim()[0]
    (rim,) = (p for p in offsets(axes).tolist() if p[1] == low)
    assert rim == [180.0, low]
    assert "failed: 1, at the rim" in [t.get_text() for t in axes.get_legend().get_texts()]


def test_nothing_measured_leaves_the_picture():
    (axes,) = plots.error_by_size(HEADS, "HC").axes
    points = offsets(axes)
    assert len(points) == len(HEADS)
    assert np.abs(points[:, 1]).max() < axes.get_ylim()[1]


def test_drawing_changes_nothing_outside_the_picture():
    before = dict(matplotlib.rcParams)
    plots.bland_altman(HEADS, "HC")
    assert dict(matplotlib.rcParams) == before


def test_pictures_that_cannot_be_written_are_an_output_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        plots.write_plots(FEMURS, tmp_path / "file")
