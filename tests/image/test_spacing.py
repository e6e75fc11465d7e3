import pytest

from fetometry.errors import SpacingError
from fetometry.image import parse_mm_per_px, read_spacing_table
from tests.support import data_dir, needs_data


@pytest.mark.parametrize(
    "text, mm",
    [
        ("0.12", (0.12, 0.12)),
        ("0.12,0.15", (0.12, 0.15)),
        (" 0.12 , 0.15 ", (0.12, 0.15)),
        ("1.5e-1", (0.15, 0.15)),
    ],
)
def test_a_given_spacing_is_one_number_or_row_and_col(text, mm):
    spacing = parse_mm_per_px(text)
    assert spacing.mm == mm
    assert spacing.source == "given"


@pytest.mark.parametrize("text", ["", "abc", "0.1 mm", "0.1;0.2", "0.1,0.2,0.3", ",", "0.1,"])
def test_what_is_not_one_or_two_numbers_is_refused(text):
    with pytest.raises(SpacingError, match=r"one number like 0\.12, or row,col like 0\.12,0\.15"):
        parse_mm_per_px(text)


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-0.12", "0", "0.12,-0.12", "0.12,nan", "12", "0,12"]
)
def test_a_number_that_is_no_size_of_a_pixel_is_refused(text):
    with pytest.raises(SpacingError, match=r"0\.01 to 1\.0 mm per pixel"):
        parse_mm_per_px(text)


def table(tmp_path, text):
    path = tmp_path / "sizes.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


HC18 = (
    "filename,pixel size(mm),head circumference (mm)\n000_HC.png,0.0691,44.3\n001_HC.png,0.09,56\n"
)


@pytest.mark.parametrize(
    "text",
    [
        HC18,
        HC18.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + HC18.encode(),
        "mm_per_px,plane,image\n0.0691,head,000_HC.jpg\n0.09,head,001_HC.jpg\n",
        "Image,mm_per_px_row,mm_per_px_col\n000_HC.png,0.0691,0.0691\n\n001_HC.png,0.09,0.09\n",
        "image,mm_per_px\nset/a/000_HC.png,0.0691\nset\\b\\001_HC.png, 0.09 \n",
    ],
)
def test_a_table_is_read_by_stem(tmp_path, text):
    found = read_spacing_table(table(tmp_path, text))
    assert {stem: spacing.mm for stem, spacing in found.spacing.items()} == {
        "000_HC": (0.0691, 0.0691),
        "001_HC": (0.09, 0.09),
    }
    assert found.spacing["000_HC"].source == "table:sizes.csv"
    assert found.fetus == {}


def test_a_table_may_give_rows_and_columns_apart(tmp_path):
    text = "image,mm_per_px_col,mm_per_px_row\na.png,0.2,0.1\n"
    assert read_spacing_table(table(tmp_path, text)).spacing["a"].mm == (0.1, 0.2)


def test_an_image_with_an_empty_number_has_no_spacing(tmp_path):
    text = "image,mm_per_px\na.png,0.1\nb.png,\n"
    assert set(read_spacing_table(table(tmp_path, text)).spacing) == {"a"}


@pytest.mark.parametrize(
    "row",
    ["b.png,abc", "b.png,-0.1", "b.png,nan", "b.png,12", "b.png", ",0.1", 'b.png,"0.1,0.2,0.3"'],
)
def test_a_bad_row_is_refused_with_file_and_line(tmp_path, row):
    path = table(tmp_path, f"image,mm_per_px\na.png,0.1\n{row}\n")
    with pytest.raises(SpacingError, match=r"sizes\.csv line 3: "):
        read_spacing_table(path)


def test_a_half_empty_pair_is_refused(tmp_path):
    path = table(tmp_path, "image,mm_per_px_row,mm_per_px_col\na.png,0.1,\n")
    with pytest.raises(SpacingError, match=r"sizes\.csv line 2: "):
        read_spacing_table(path)


def test_rows_that_disagree_on_a_stem_are_refused(tmp_path):
    path = table(tmp_path, "image,mm_per_px\na.png,0.1\nb.png,0.1\nother/a.jpg,0.2\n")
    with pytest.raises(SpacingError, match=r"line 4: a has another spacing than in line 2"):
        read_spacing_table(path)


def test_rows_that_agree_on_a_stem_are_one(tmp_path):
    path = table(tmp_path, "image,mm_per_px\na.png,0.1\na.jpg,0.10\n")
    assert len(read_spacing_table(path).spacing) == 1


@pytest.mark.parametrize(
    ("text", "spaced"),
    [
        ("image,mm_per_px,fetus\na.png,0.1,A\nb.png,0.1, b \nc.png,0.1,\n", {"a", "b", "c"}),
        ("image,mm_per_px,fetus\na.png,0.1,A\nb.png,,B\nc.png,,\n", {"a"}),
        ("fetus,image\nA,a.png\nB,b.png\n,c.png\n", set()),
    ],
    ids=["with spacings", "with some", "without"],
)
def test_a_column_says_which_twin_an_image_shows(tmp_path, text, spaced):
    found = read_spacing_table(table(tmp_path, text))
    assert found.fetus == {"a": "A", "b": "B"}
    assert set(found.spacing) == spaced


def test_a_twin_of_another_name_is_refused(tmp_path):
    path = table(tmp_path, "image,fetus\na.png,A\nb.png,2\n")
    with pytest.raises(SpacingError, match=r"sizes\.csv line 3: fetus must be A or B.*'2'"):
        read_spacing_table(path)


def test_rows_that_disagree_on_a_twin_are_refused(tmp_path):
    path = table(tmp_path, "image,fetus\na.png,A\na.jpg,B\n")
    with pytest.raises(SpacingError, match=r"line 3: a has another fetus than in line 2"):
        read_spacing_table(path)


@pytest.mark.parametrize(
    "text", ["", "a.png,0.1\n", "filename,size\na.png,0.1\n", "mm_per_px\n0.1\n"]
)
def test_a_table_without_its_columns_is_refused(tmp_path, text):
    with pytest.raises(SpacingError, match=r"line 1: .* give HC18's own columns `filename`"):
        read_spacing_table(table(tmp_path, text))


@pytest.mark.parametrize(
    "text", ["image,mm_per_px\n", "image,mm_per_px\na.png,\n", "image,fetus\na.png,\n"]
)
def test_a_table_without_a_spacing_is_refused(tmp_path, text):
    with pytest.raises(SpacingError, match="the table holds no spacing"):
        read_spacing_table(table(tmp_path, text))


def test_what_is_not_a_table_is_refused(tmp_path):
    with pytest.raises(SpacingError, match="not a CSV table in UTF-8"):
        read_spacing_table(table(tmp_path, b"\x89PNG\r\n\xff\xfe\x00"))
    with pytest.raises(SpacingError, match="No such file"):
        read_spacing_table(tmp_path / "none.csv")


@needs_data
def test_the_hc18_table_gives_every_image():
    name = "training_set_pixel_size_and_HC.csv"
    found = read_spacing_table(data_dir() / "hc18" / name).spacing
    assert len(found) == len(list((data_dir() / "hc18" / "training_set").glob("*HC.webp")))
    assert found["000_HC"].mm == (0.0691358041432, 0.0691358041432)
    assert found["000_HC"].source == f"table:{name}"
