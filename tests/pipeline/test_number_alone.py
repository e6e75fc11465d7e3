"""A model that tells HC as a number: which millimetres, and what a picture may show."""

import numpy as np
import pytest

from fetometry import predict
from fetometry.errors import SpacingError
from fetometry.pipeline import RULER, Settings, frames, measure_files, measure_into
from fetometry.predict.engine import Engine
from fetometry.predict.predictor import Predictor
from fetometry.types import Image, Region, Spacing
from tests.conftest import SHAPE, bright_info, dataset, painted, save, save_dicom, table

#: An input of the source's own size: no scale comes between.
SIZE = {"kind": "size", "planes": ["head"], "measures": "HC", "scale_px": 1000.0}
TOLD_PX = 700.0
MM = Spacing((0.3, 0.3), "given")


@pytest.fixture(autouse=True)
def number(monkeypatch):
    """Put a model that always tells 700 px in the place of every model."""
    engine = Engine("a number", lambda batch: {"hc": np.full((len(batch), 1), 0.7, np.float32)})

    def load(model, *, device="auto", flip_average=False):
        return Predictor(bright_info(size=SHAPE, outputs={"hc": SIZE}), engine, flip_average)

    monkeypatch.setattr(predict, "load", load)


def measured(path, **settings):
    (result,) = measure_files([path], Settings(**settings))
    return result


def values(result):
    return {m.name: (m.value, m.unit) for m in result.finding.measurements}


def test_a_given_spacing_gives_millimetres(tmp_path):
    result = measured(save(tmp_path / "a.png"), spacing=MM)
    assert values(result) == {"HC": (pytest.approx(210.0), "mm")}
    assert result.problems == ()


def test_without_a_spacing_there_are_pixels_and_the_reason(tmp_path):
    result = measured(save(tmp_path / "a.png"))
    assert values(result) == {"HC": (pytest.approx(TOLD_PX), "px")}
    assert "no millimetres" in result.problems[0].reason


def test_the_only_region_of_a_dicom_file_gives_millimetres(tmp_path):
    result = measured(save_dicom(tmp_path / "a.dcm"))
    assert result.finding.spacing == Spacing((0.3, 0.3), "dicom-region-1")
    assert values(result) == {"HC": (pytest.approx(210.0), "mm")}


def test_pixels_that_are_not_square_leave_pixels_and_the_reason(tmp_path):
    for result in (
        measured(save_dicom(tmp_path / "a.dcm", dataset(mm=(0.3, 0.4)))),
        measured(save(tmp_path / "a.png"), spacing=Spacing((0.3, 0.4), "given")),
    ):
        assert values(result) == {"HC": (pytest.approx(TOLD_PX), "px")}
        assert "a pixel is not square" in result.problems[0].reason


def region(number, mm=0.3, cols=(0, 199)):
    return Region((0, 269), cols, (mm, mm), False, number)


def image(*regions, **more):
    return Image(painted(), "a.dcm", regions=regions, **more)


NOWHERE = np.zeros((0, 2))
BESIDE = (200, 399)


def test_several_regions_give_millimetres_where_all_of_them_agree():
    found = frames._spacing_at(image(region(1), region(2, cols=BESIDE)), NOWHERE)
    assert found == Spacing((0.3, 0.3), "dicom-region-1")


def test_regions_that_differ_give_none_as_nobody_knows_which_was_measured():
    with pytest.raises(SpacingError, match="the regions of the image differ in their pixel size"):
        frames._spacing_at(image(region(1), region(2, 0.4, cols=BESIDE)), NOWHERE)


def test_a_spacing_that_was_given_must_not_contradict_any_region():
    agreeing = image(region(1), spacing=Spacing((0.301, 0.301), "given"))
    assert frames._spacing_at(agreeing, NOWHERE).source == "given"
    other = image(region(1), region(2, 0.4, cols=BESIDE), spacing=MM)
    with pytest.raises(SpacingError, match="two spacings"):
        frames._spacing_at(other, NOWHERE)


def test_a_ruler_gives_millimetres_unless_a_region_contradicts_it(tmp_path, monkeypatch):
    class Read:
        spacing = Spacing((0.35, 0.35), "ruler-left: 9 ticks")

    monkeypatch.setattr(frames, "read_ruler", lambda pixels, source: Read)
    result = measured(save(tmp_path / "a.png"), spacing=RULER)
    assert values(result) == {"HC": (pytest.approx(245.0), "mm")}
    refused = measured(save_dicom(tmp_path / "a.dcm"), spacing=RULER)
    assert "two spacings" in refused.problems[0].reason


def test_where_names_may_be_burned_in_all_regions_are_shown_and_nothing_else(tmp_path):
    (result,) = measure_files([save(tmp_path / "a.png")], Settings(spacing=MM))
    shown = frames.without_names(
        image(region(1, cols=(60, 99)), region(2, cols=BESIDE), may_show_name=True), result.finding
    )
    assert np.array_equal(shown[:, 60:100], painted()[:, 60:100])
    assert np.array_equal(shown[:, 200:], painted()[:, 200:])
    assert not shown[:, :60].any()
    assert not shown[:, 100:200].any()
    assert not frames.without_names(image(may_show_name=True), result.finding).any()


def test_the_ordinary_outputs_are_written(tmp_path):
    kinds = ("overlay", "picture", "json", "csv", "summary", "hc18")
    path = save(tmp_path / "in" / "a.png")
    (exam,), _ = measure_into(tmp_path / "out", [path], Settings(spacing=MM), kinds=kinds)
    assert exam.problems == ()
    (row,) = table(tmp_path / "out")
    assert (row["name"], row["value_mm"], row["flags"]) == ("HC", "210.00", "no-outline")
    assert (tmp_path / "out" / "overlays" / "a_f1.png").is_file()
    assert (tmp_path / "out" / "exam.png").is_file()
