"""What a program may rely on: the names, and the two functions."""

import inspect
import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files

import pytest

import fetometry
from fetometry.phantom import HeadSpec, head
from fetometry.predict import catalogue, default_model
from tests.conftest import painted, save

PUBLIC = {
    "Exam",
    "FetometryError",
    "Finding",
    "Image",
    "Measurement",
    "Problem",
    "Selected",
    "Spacing",
    "__version__",
    "measure",
    "measure_exams",
}


def test_the_public_names_are_these_and_no_more_than_twelve():
    assert sorted(fetometry.__all__) == sorted(PUBLIC)
    assert len(fetometry.__all__) <= 12


def test_a_star_import_gives_the_public_names_and_nothing_else():
    names: dict[str, object] = {}
    exec("from fetometry import *", names)
    assert set(names) - {"__builtins__"} == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_a_public_name_explains_itself(name):
    doc = inspect.getdoc(getattr(fetometry, name))
    assert doc
    assert not doc.startswith(f"{name}(")  # the signature that dataclasses write by themselves


def test_the_version_is_the_installed_one():
    assert fetometry.__version__ == version("fetometry")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'measurement_of_nothing'"):
        _ = fetometry.measurement_of_nothing


# The stage fetometry/measure/ has the name of the public function. Importing a submodule binds
# its name in the package, so the module can take the function's place, at once or later.
@pytest.mark.parametrize(
    "use",
    [
        "import fetometry; f = fetometry.measure",
        "from fetometry import measure as f",
        "import fetometry; fetometry.measure; f = fetometry.measure",
        "import fetometry.pipeline; f = fetometry.measure",
        "import fetometry.measure; f = fetometry.measure",
        "from fetometry.measure import measure_head; from fetometry import measure as f",
    ],
)
def test_measure_is_the_function_however_it_is_reached(use):
    code = f"{use}\nimport types\nassert isinstance(f, types.FunctionType), f"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", [fetometry.measure, fetometry.measure_exams])
def test_a_function_takes_one_thing_and_a_spacing_by_name(function):
    signature = inspect.signature(function)
    first, *others, about = signature.parameters.values()
    assert first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)
    assert signature.parameters["spacing_mm"].default is None
    assert len(others) < 6
    # what may be said about the pregnancy is one table of its own
    assert (about.kind, about.annotation) == (about.VAR_KEYWORD, "Unpack[About]")


@pytest.mark.parametrize("function", [fetometry.measure, fetometry.measure_exams])
def test_what_is_said_of_the_pregnancy_reaches_the_exams_growth(function, three_planes, tmp_path):
    path = save(tmp_path / "x.png", painted())
    found = function(path, spacing_mm=0.3, ga="20w0d")
    growth = (found if isinstance(found, fetometry.Exam) else found[0]).growth[""]
    assert (growth.age.days, growth.age.source) == (140, "ga")
    assert {placed.name for placed in growth.placements} == {"HC", "BPD", "OFD"}


@pytest.mark.parametrize("function", [fetometry.measure, fetometry.measure_exams])
def test_a_misspelt_word_is_refused_before_anything_is_read(function):
    with pytest.raises(TypeError, match="'gaa'"):
        function("nowhere.png", gaa="20w0d")


@pytest.fixture(scope="module")
def phantom():
    return head(HeadSpec())


@pytest.fixture(params=["hc18-head", None], ids=["head model", "default model"])
def model(request):
    """The name of a shipped model; None is the one that measures unless another is named."""
    name = request.param or default_model("auto")
    if name not in catalogue() or not catalogue()[name].path.is_file():
        pytest.skip(f"the model {name} is not in this checkout")
    return request.param


@pytest.mark.slow
def test_an_array_with_a_spacing_gives_millimetres(phantom, model):
    exam = fetometry.measure(phantom.pixels, spacing_mm=phantom.spacing_mm, model=model)
    assert isinstance(exam, fetometry.Exam)
    (finding,) = exam.findings
    values = {m.name: m.value for m in finding.measurements}
    assert values.keys() == {"HC", "BPD", "OFD"}
    assert values["HC"] == pytest.approx(phantom.hc_mm, rel=0.03)
    assert {m.unit for m in finding.measurements} == {"mm"}
    assert {s.name: s.value for s in exam.selected} == values
    assert exam.problems == ()


@pytest.mark.slow
def test_an_array_without_a_spacing_gives_pixels_and_says_how_to_get_millimetres(phantom, model):
    exam = fetometry.measure(phantom.pixels, model=model)
    (finding,) = exam.findings
    assert {m.unit for m in finding.measurements} == {"px"}
    (problem,) = exam.problems
    assert "--mm-per-px" in problem.reason


@pytest.mark.parametrize("spacing_mm", [float("nan"), -0.1, 0.0, 12.0, (0.1, 0.0)])
def test_an_unbelievable_spacing_is_refused(phantom, spacing_mm):
    with pytest.raises(fetometry.FetometryError, match="mm per pixel"):
        fetometry.measure(phantom.pixels, spacing_mm=spacing_mm)


@pytest.mark.parametrize("function", [fetometry.measure, fetometry.measure_exams])
def test_a_missing_path_is_refused(function):
    with pytest.raises(fetometry.FetometryError, match="nowhere"):
        function("nowhere.png")


def test_the_package_is_typed_for_those_who_use_it():
    assert files("fetometry").joinpath("py.typed").is_file()
