import dataclasses

import pytest

from fetometry.errors import DataError, OutputError
from fetometry.predict.decode import plane_totals
from fetometry.training.cases import (
    COLUMNS,
    NAMES,
    Size,
    having,
    measured,
    pool,
    read_cases,
    write_cases,
)
from tests.training.judged import case, head, sized, sure_of

HEADS = [
    head(
        1.0,
        "1.png",
        flags=("poor-fit", "cut-by-edge"),
        mm_per_px=0.125,
        pixel_accuracy=0.97,
        mask_dice=0.96,
        mean_iou=0.93,
    ),
    head(-100.0, "2.png", failure='a "quoted", reason', dice=0.0),
]
ALL = [
    *HEADS,
    *sized("FL", [(50.0, 51.0)], plane="femur", low=0.5, high=2.0, end_error_mm=0.25),
    case("none.png", plane="none", found_plane="none", planes=sure_of("none", 0.5)),
    case("view.png", view="trans-cerebellar", machine="Voluson E6", dataset="fetal_planes"),
]


def test_cases_come_back_from_csv_as_they_were(tmp_path):
    path = tmp_path / "results" / "cases.csv"
    write_cases(ALL, path)
    assert read_cases(path) == ALL
    assert [p.name for p in path.parent.iterdir()] == ["cases.csv"]


def test_a_row_has_a_cell_for_everything_and_empty_ones_where_it_does_not_apply(tmp_path):
    write_cases(ALL, tmp_path / "cases.csv")
    header, *lines = (tmp_path / "cases.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",") == list(COLUMNS)
    cells = dict(zip(COLUMNS, lines[2].split(","), strict=True))
    assert (cells["FL_truth_mm"], cells["FL_measured_mm"]) == ("50.00000", "51.00000")
    assert (cells["FL_low_mm"], cells["FL_high_mm"]) == ("25.50000", "102.00000")
    assert all(cells[f"{name}_truth_mm"] == "" for name in NAMES if name != "FL")
    assert (cells["p_head"], cells["dice"], cells["mm_per_px"]) == ("", "", "")


def test_results_of_an_earlier_version_are_read_without_the_numbers_of_the_mask(tmp_path):
    path = tmp_path / "cases.csv"
    write_cases(ALL, path)
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[:2]]
    at = COLUMNS.index("pixel_accuracy")
    assert COLUMNS[at : at + 3] == ("pixel_accuracy", "mask_dice", "mean_iou")
    path.write_text("".join(",".join(x[:at] + x[at + 3 :]) + "\n" for x in lines), "utf-8")
    (found,) = read_cases(path)
    changes = {"pixel_accuracy": None, "mask_dice": None, "mean_iou": None}
    assert found == dataclasses.replace(ALL[0], **changes)


def test_the_csv_keeps_a_hundredth_of_a_micrometre_of_any_length(tmp_path):
    write_cases([head(1 / 3, mm_per_px=0.123456789)], tmp_path / "cases.csv")
    (found,) = read_cases(tmp_path / "cases.csv")
    assert found.sizes["HC"].measured_mm == pytest.approx(100 + 1 / 3, abs=5e-6)
    assert found.mm_per_px == pytest.approx(0.123456789, abs=5e-6)


def test_the_csv_keeps_the_logarithm_of_small_probabilities(tmp_path):
    odds = {**sure_of("head"), "femur": 3.14159265e-11}
    write_cases([case(planes=odds)], tmp_path / "cases.csv")
    (found,) = read_cases(tmp_path / "cases.csv")
    assert found.planes["femur"] == pytest.approx(3.14159265e-11, rel=1e-6)


GOOD = dict.fromkeys(COLUMNS, "") | {"bucket": "1"}


def line(**changes):
    return ",".join({**GOOD, **changes}.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a per-image result, or one of an earlier version"),
        ("image,group\n1.png,1\n", "make it with `fetometry evaluate --out`"),
        ("{header}\n" + line(dice="x"), "could not convert string to float: 'x'"),
        ("{header}\n" + line(bucket="x"), "invalid literal for int"),
        ("{header}\n" + line(HC_truth_mm="9"), "HC has a truth without a measurement"),
        ("{header}\n1.png,1,1\n", "a line is too short or too long"),
        ("{header}\n" + line() + ",1,2\n", "a line is too short or too long"),
        ("\xff\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_result_is_refused(content, message, tmp_path):
    path = tmp_path / "cases.csv"
    path.write_bytes(content.replace("{header}", ",".join(COLUMNS)).encode("latin-1"))
    with pytest.raises(DataError, match=message):
        read_cases(path)


def test_a_missing_result_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read"):
        read_cases(tmp_path / "nowhere.csv")


def test_results_that_cannot_be_written_are_an_output_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_cases(HEADS, tmp_path / "file" / "cases.csv")


def test_a_size_knows_its_error_and_whether_its_interval_holds_the_truth():
    assert Size(200.0, 190.0).difference_mm == -10
    assert Size(200.0, 190.0).difference_percent == -5
    assert Size(200.0, 190.0).is_covered is None
    assert Size(200.0, 190.0, 180.0, 200.0).is_covered is True
    assert Size(200.0, 190.0, 180.0, 199.9).is_covered is False
    assert Size(200.0).failed
    assert Size(200.0).difference_percent == -100


def test_measurements_are_named_in_their_order():
    assert measured(ALL) == ["HC", "BPD", "OFD", "FL"]
    assert [c.image for c in having(ALL, "FL")] == ["0.png"]


def test_the_views_of_a_head_are_added_up():
    totals = plane_totals({"head": 0.5, "head:trans-cerebellar": 0.25, "none": 0.25})
    assert totals == {"head": 0.75, "none": 0.25}


def test_groups_of_the_same_name_in_two_data_sets_are_two():
    one = case(group="012")
    assert one.cluster != dataclasses.replace(one, dataset="fetal_planes").cluster


def test_folds_are_pooled():
    folds = [[head(1.0, "1.png")], [head(2.0, "2.png"), head(3.0, "3.png")]]
    assert [c.image for c in pool(folds)] == ["1.png", "2.png", "3.png"]


def test_an_image_in_two_results_is_not_pooled():
    with pytest.raises(DataError, match=r"1\.png of hc18 is in two of the results"):
        pool([HEADS, HEADS[:1]])


def test_images_of_one_name_in_two_data_sets_are_two():
    other = dataclasses.replace(HEADS[0], dataset="fetal_planes")
    assert len(pool([HEADS, [other]])) == 3


def test_results_of_two_routings_are_not_pooled():
    with pytest.raises(DataError, match="routed by predicted and by true plane"):
        pool([HEADS[:1], [head(1.0, "3.png", routing="true")]])
