"""What the report says: codes, units, points, repeats, fetuses, what numbers rest on."""

from dataclasses import replace

import numpy as np
import pytest

from fetometry.growth.nouns import Age, Growth
from fetometry.types import Exam
from tests.report import examples
from tests.report.sr.made import (
    dump,
    grown,
    header,
    items,
    needs_dsrdump,
    one_plane,
    three_planes,
    value,
    written,
)

CODES = {
    "HC": "11984-2",
    "BPD": "11820-8",
    "OFD": "11851-3",
    "AC": "11979-2",
    "TAD": "11862-0",
    "APAD": "11818-2",
    "FL": "11963-6",
}


@pytest.fixture(scope="module")
def exam():
    return three_planes()


@pytest.fixture(scope="module")
def report(exam, tmp_path_factory):
    return written(exam, tmp_path_factory.mktemp("out"))


def test_every_value_is_there_under_its_code_in_mm(exam, report):
    for chosen in exam.selected:
        (found,) = items(report, code=CODES[chosen.name], type="NUM")
        number, unit = value(found)
        assert number == pytest.approx(chosen.value, abs=0.0006)
        assert unit == "mm"


@needs_dsrdump
def test_dsrdump_reads_the_codes_and_units_that_others_look_for(exam, tmp_path):
    written(exam, tmp_path)
    lines = dump(tmp_path / "report.sr.dcm").splitlines()
    for code, unit in [
        ("11984-2", "mm"), ("11820-8", "mm"), ("11979-2", "mm"), ("11963-6", "mm"),
        ("11727-5", "g"), ("18185-9", "d"), ("11767-1", "%"), ("11947-9", "%"),
    ]:  # fmt: skip
        line = next(line for line in lines if f"NUM:({code},LN," in line)
        assert f"({unit},UCUM," in line


def test_sections_stand_in_the_order_of_the_template(report):
    order = [
        item.ConceptNameCodeSequence[0].CodeValue
        for item in report.ContentSequence
        if item.ValueType == "CONTAINER"
    ]
    assert order == ["111028", "121111", "125001", "125002", "125003"]
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "5000"
    templates = {
        item.ConceptNameCodeSequence[0].CodeValue: item.ContentTemplateSequence[
            0
        ].TemplateIdentifier
        for item in items(report, type="CONTAINER")
        if "ContentTemplateSequence" in item
    }
    assert templates == {
        "121111": "5002", "125008": "5003", "125001": "5004", "125002": "5005", "125003": "5006",
        "125005": "5008",
    }  # fmt: skip


def test_the_femur_is_among_the_long_bones_and_nothing_else(report):
    bones, biometry = (items(report, code=code)[0] for code in ("125003", "125002"))
    assert [len(items(bones, code=code, type="NUM")) for code in CODES.values()] == [0] * 6 + [1]
    assert len(items(biometry, code=CODES["FL"])) == 0


def test_points_are_column_and_row_from_the_corner_of_the_first_pixel(report):
    (fl,) = items(report, code=CODES["FL"])
    (path,) = items(fl, type="SCOORD")
    assert (path.GraphicType, list(path.GraphicData)) == ("POLYLINE", [200.5, 300.5, 560.5, 200.5])
    (hc,) = items(report, code=CODES["HC"])
    (outline,) = items(hc, type="SCOORD")
    assert outline.GraphicType == "ELLIPSE"
    points = np.reshape(outline.GraphicData, (4, 2)) - 0.5
    long, short = points[1] - points[0], points[3] - points[2]
    assert np.linalg.norm(long) == pytest.approx(300, abs=0.01)
    assert np.linalg.norm(short) == pytest.approx(240, abs=0.01)
    assert points.mean(axis=0) == pytest.approx((400, 270), abs=0.01)


def test_an_ellipse_that_the_image_cuts_is_a_closed_line_inside_it(tmp_path):
    found = examples.head(examples.Ellipse((100.0, 400.0), (150.0, 120.0), 0.0), mm=(0.3, 0.3))
    made = written(examples.exam(found, selected=examples.selected(found)), tmp_path)
    (hc,) = items(made, code=CODES["HC"])
    (outline,) = items(hc, type="SCOORD")
    points = np.reshape(outline.GraphicData, (-1, 2))
    assert outline.GraphicType == "POLYLINE"
    assert points[0] == pytest.approx(points[-1])
    assert points.min() == 0.0


def test_each_value_names_the_instance_it_was_measured_in(exam, report):
    (fl,) = items(report, code=CODES["FL"])
    (image,) = items(fl, type="IMAGE", relation="SELECTED FROM")
    reference = image.ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == "1.2.3.3"
    assert "ReferencedFrameNumber" not in reference
    library = items(report, code="111028")[0]
    assert [i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in items(library)] == [
        "1.2.3.1", "1.2.3.2", "1.2.3.3",
    ]  # fmt: skip
    assert not any("ConceptNameCodeSequence" in item for item in items(library))


def test_of_a_cine_the_frame_is_named(tmp_path):
    exam = one_plane(frame=7)
    cine = header(NumberOfFrames=9, SOPClassUID="1.2.840.10008.5.1.4.1.1.3.1")
    made = written(exam, tmp_path, headers={exam.findings[0].source: cine})
    (image,) = items(made, type="IMAGE", relation="SELECTED FROM")
    assert image.ReferencedSOPSequence[0].ReferencedFrameNumber == 7


def test_who_measured_is_told_with_the_model(report):
    (fl,) = items(report, code=CODES["FL"])
    told = [value(item) for code in ("111001", "111003", "111002") for item in items(fl, code=code)]
    assert told == [
        "head-test", "fetometry 9.8.7", f"model SHA-256 {examples.MODEL.sha256}",
        "pixel size by csv",
    ]  # fmt: skip
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert "research use only" in value(items(report, code="121106")[0])


def test_the_convention_and_the_uncertainty_stand_with_the_value(tmp_path):
    found = examples.head(mm=(0.3, 0.3), interval=(80.0, 300.0), flags=("cut-by-edge",))
    made = written(examples.exam(found, selected=examples.selected(found)), tmp_path)
    (bpd,) = items(made, code=CODES["BPD"])
    assert value(items(bpd, code="370129005")[0]) == ("OUTER-OUTER", "99FETOMETRY")
    measured = value(bpd)[0]
    assert value(items(bpd, code="371885007")[0])[0] == pytest.approx(max(0, measured - 80))
    assert value(items(bpd, code="371886008")[0])[0] == pytest.approx(300 - measured, abs=0.001)
    assert any("cut-by-edge" in value(item) for item in items(bpd, code="121106"))


def repeats(how):
    first = examples.femur(source="a.png")
    second = examples.femur(((300.0, 200.0), (200.0, 570.0)), source="b.png", quality=0.5)
    chosen = examples.selected(first, count=2, how=how)
    return examples.exam(first, second, selected=chosen)


def test_every_repeat_is_told_and_the_one_that_counts_marked(tmp_path):
    made = written(repeats("best"), tmp_path)
    first, second = items(made, code=CODES["FL"])
    assert value(items(first, code="121404")[0]) == ("121410", "DCM")
    assert items(second, code="121404") == []
    assert "best of 2" in value(items(first, code="121106")[-1])


def test_the_only_value_is_marked_too(exam, report):
    assert len(items(report, code="121404")) == len(exam.selected)


def test_the_last_one_has_a_code_of_its_own(tmp_path):
    made = written(repeats("last"), tmp_path)
    assert value(items(made, code="121404")[0]) == ("121411", "DCM")


def test_a_mean_stands_beside_its_repeats(tmp_path):
    made = written(repeats("mean"), tmp_path)
    *single, mean = items(made, code=CODES["FL"])
    assert [items(one, code="121404") for one in single] == [[], []]
    assert value(items(mean, code="121401")[0]) == ("373098007", "SCT")
    assert value(items(mean, code="121404")[0]) == ("121412", "DCM")


def test_of_a_long_cine_only_the_best_frame_and_the_chosen_one_are_told(tmp_path):
    frames = [examples.femur(source="a.dcm", quality=q / 9) for q in range(9)]
    frames = [replace(one, frame=k) for k, one in enumerate(frames, start=1)]
    exam = examples.exam(*frames, selected=examples.selected(frames[2], count=9))
    cine = header(NumberOfFrames=9)
    made = written(exam, tmp_path, headers={"a.dcm": cine})
    told = [
        item.ReferencedSOPSequence[0].ReferencedFrameNumber
        for item in items(made, type="IMAGE", relation="SELECTED FROM")
    ]
    assert told == [3, 9]


def test_twins_have_sections_of_their_own(tmp_path):
    found = [examples.femur(fetus=f, source=f"{f}.png") for f in "AB"]
    found += [examples.abdomen(fetus=f, source=f"{f}2.png") for f in "AB"]
    made = written(grown(examples.exam(*found, selected=examples.selected(*found))), tmp_path)
    for code in ("125008", "125001", "125002", "125003"):
        sections = items(made, code=code)
        assert [value(items(s, code="11951-1")[0]) for s in sections] == ["A", "B"]
        assert {value(items(s, code="11878-6")[0]) for s in sections} == {(2.0, "1")}
    first, second = items(made, code="125003")
    images = [
        items(s, type="IMAGE")[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for s in (first, second)
    ]
    assert images == ["1.2.3.1", "1.2.3.2"]


def test_beside_a_named_fetus_one_without_a_name_is_told_apart_and_nobody_counts_them(tmp_path):
    found = [examples.femur(fetus=f, source=f"{f}.png") for f in ("", "A")]
    made = written(examples.exam(*found, selected=examples.selected(*found)), tmp_path)
    sections = items(made, code="125003")
    assert [value(items(s, code="11951-1")[0]) for s in sections] == ["not named", "A"]
    assert items(made, code="11878-6") == []


def test_one_twin_alone_is_named_and_not_counted(tmp_path):
    made = written(one_plane(fetus="B"), tmp_path)
    assert value(items(items(made, code="125003")[0], code="11951-1")[0]) == "B"
    assert items(made, code="11878-6") == []


def test_a_single_fetus_has_no_number(report):
    assert items(report, code="11951-1") == items(report, code="11878-6") == []


def test_hadlock_has_codes_and_intergrowth_is_cited(report):
    weight = items(report, code="11727-5", type="NUM")[0]
    equation = items(weight, code="121420", relation="INFERRED FROM")[0]
    assert value(equation) == ("11746-5", "LN")
    rank = items(report, code="11767-1", type="NUM")[0]
    assert items(rank, code="121420") == []
    cited = value(items(rank, code="121421")[0])
    assert cited == (
        "intergrowth21_efw_2020: INTERGROWTH-21st standard of 2020 for Hadlock's weights. "
        "Stirnemann J et al. Ultrasound Obstet Gynecol 2020;56:946-948. doi:10.1002/uog.22000"
    )


def test_growth_is_told_as_growth_knows_it(exam, report):
    growth = exam.growth[""]
    (hc,) = (place for place in growth.placements if place.name == "HC")
    ranks = [value(item)[0] for item in items(report, code="125012", type="NUM")]
    scores = [value(item)[0] for item in items(report, code="125013", type="NUM")]
    assert ranks[0] == pytest.approx(hc.centile, abs=0.001)
    assert scores[0] == pytest.approx(hc.z, abs=0.0001)
    assert value(items(report, code="18185-9")[0]) == (185.0, "d")
    weight, unit = value(items(report, code="11727-5")[0])
    assert (weight, unit) == (pytest.approx(growth.weights[0].value_g, abs=0.06), "g")
    for ratio, code in zip(
        growth.ratios, ["11823-2", "11871-1", "11872-9", "11873-7", "11947-9"], strict=True
    ):
        assert value(items(report, code=code)[0]) == (pytest.approx(ratio.percent, abs=0.001), "%")


def test_a_ratio_has_its_range_and_whether_it_is_normal(tmp_path):
    found = [examples.abdomen(), examples.femur(((300.0, 100.0), (200.0, 700.0)))]
    exam = grown(examples.exam(*found, selected=examples.selected(*found)))
    made = written(exam, tmp_path)
    (ratio,) = items(made, code="11871-1")
    low, high = (value(items(ratio, code=c)[0])[0] for c in ("385524004", "371933006"))
    assert (low, high) == (20.0, 24.0)
    assert value(ratio)[0] > high
    assert value(items(ratio, code="121402")[0]) == ("371879000", "SCT")


def with_age(age):
    found = examples.femur()
    exam = examples.exam(found, selected=examples.selected(found))
    return replace(exam, growth={"": Growth(age)})


@pytest.mark.parametrize(
    ("age", "codes", "basis"),
    [
        (Age(185.0, None, "lmp"), ["18185-9", "11885-1"], ("11885-1", "LN")),
        (
            Age(185.0, (180, 190), "biometry", "hadlock1984_ga_fl", ("FL",)),
            ["18185-9", "18185-9"],
            ("11920-6", "LN"),
        ),
        (
            Age(185.0, None, "biometry", "x_ga", ("FL", "AC"), (), ("by X 1999",)),
            ["18185-9", "11888-5"],
            "x_ga: by X 1999",
        ),
        (Age(185.0, None, "edd"), ["18185-9"], "an agreed due date"),
        (
            Age(185.0, None, "ga", others=(("lmp", 180.0),)),
            ["18185-9", "11885-1"],
            "the age that was given",
        ),
    ],
)
def test_an_age_says_what_it_rests_on(tmp_path, age, codes, basis):
    made = written(with_age(age), tmp_path)
    ages = [i for c in ("18185-9", "11885-1", "11888-5") for i in items(made, code=c, type="NUM")]
    assert [i.ConceptNameCodeSequence[0].CodeValue for i in ages] == codes
    assert value(items(ages[0], relation="INFERRED FROM")[0]) == basis


def test_beyond_a_chart_there_are_words_and_no_number(exam, tmp_path):
    growth = exam.growth[""]
    placed = [replace(p, beyond="<", centile=3.0) for p in growth.placements if p.name == "FL"]
    made = written(replace(exam, growth={"": replace(growth, placements=tuple(placed))}), tmp_path)
    assert items(made, code="125012", type="NUM") == []
    assert any("centile <3" in value(item) for item in items(made, code="121106"))


def test_a_circular_rank_says_so(tmp_path):
    made = written(three_planes(ga_days=None), tmp_path)
    ranks = items(made, code="125012", type="NUM")
    assert any("circular" in value(i) for rank in ranks for i in items(rank, code="121106"))


def test_a_number_told_alone_is_an_estimate_of_its_image(tmp_path):
    found = replace(examples.head(mm=(0.3, 0.3)), ellipse=None, points_px={})
    found = replace(found, measurements=found.measurements[:1])
    made = written(examples.exam(found, selected=examples.selected(found)), tmp_path)
    (hc,) = items(made, code=CODES["HC"])
    assert value(items(hc, code="121401")[0]) == ("414135002", "SCT")
    assert items(hc, type="SCOORD") == []
    assert len(items(hc, type="IMAGE", relation="INFERRED FROM")) == 1


def test_what_is_in_pixels_is_named_and_has_no_number(tmp_path):
    plain, femur = examples.head(mm=None), examples.femur()
    exam = Exam((plain, femur), selected=examples.selected(plain, femur))
    made = written(exam, tmp_path)
    assert items(made, code=CODES["HC"]) == []
    assert any("HC, BPD, OFD" in value(item) for item in items(made, code="121106"))
