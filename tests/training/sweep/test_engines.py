# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import csv
import json
import sys
from functools import partial
from types import ModuleType, SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from fetometry.errors import UsageError
from fetometry.training.sweep import engines
from fetometry.training.sweep.reproduce import Places, collect, perform
from fetometry.training.sweep.run import Job
from fetometry.training.sweep.spec import Cell, Run, read_spec
from tests.training import toy
from tests.training.sweep import toy_sweep

pytestmark = [
    pytest.mark.train,
    # a run's folder holds its recipe and its cache before the first checkpoint is written
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # between Lightning and a newer torch
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]

#: What a run takes and where it ran: never twice the same.
COSTS = ("minutes", "ms_per_image", "device")


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="--engine slurm: unknown; allowed: serial, ray"):
        engines.engine("slurm")


def test_without_ray_its_installation_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'fetometry\[cluster\]'"):
        list(engines.on_ray([], {}, 1))


class Cluster(ModuleType):
    """What the adapter uses of Ray, done at once; the worker of the cell `lost` dies."""

    def __init__(self):
        super().__init__("ray")
        self.asked, self.stopped = {}, False
        error = type("RayError", (Exception,), {})
        self.exceptions = SimpleNamespace(RayError=error)

    def init(self, **options):
        self.asked |= options

    def shutdown(self):
        self.stopped = True

    def cluster_resources(self):
        return {"CPU": 4.0}

    def put(self, value):
        return value

    def remote(self, **options):
        self.asked |= options
        return lambda function: SimpleNamespace(remote=lambda *given: partial(function, *given))

    def wait(self, tasks, num_returns):
        return tasks[-num_returns:], tasks[:-num_returns]

    def get(self, task):
        if task.args[0].run.cell.name == "lost":
            raise self.exceptions.RayError("the worker died\nof hunger")
        return task()


def test_a_lost_worker_is_a_failed_run_and_the_cluster_is_left(tmp_path, monkeypatch):
    cluster = Cluster()
    monkeypatch.setitem(sys.modules, "ray", cluster)
    monkeypatch.setattr(engines, "run_one", lambda job, rows: (job.run.cell.name, rows))
    toy_sweep.write(tmp_path)
    runs = [Run(Cell(name), 0, 0, 0, (), ("heads.plane",)) for name in ("fine", "lost")]
    jobs = [
        Job("toy", "small", run, tmp_path / "toy.toml", ("predicted",), tmp_path / "runs")
        for run in runs
    ]
    lost, fine = engines.on_ray(jobs, {"toy": ["a row"]}, 2)
    assert fine == ("fine", ["a row"])
    assert lost.failed
    facts = json.loads((jobs[1].folder / "run.json").read_text(encoding="utf-8"))
    assert (facts["status"], facts["reason"]) == ("failed", "RayError: the worker died")
    assert (cluster.asked["num_cpus"], cluster.asked["include_dashboard"]) == (2, False)
    assert cluster.stopped


def tidy(path):
    """The table without what a run costs."""
    with path.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    return [{key: text for key, text in line.items() if key not in COSTS} for line in lines]


@pytest.fixture
def one_thread():
    """As many threads as Ray gives a run: sums in another order differ in their last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_cluster_gives_the_same_table_as_one_run_after_another(tmp_path):
    pytest.importorskip("ray", reason="needs the cluster extra")
    toy.make(tmp_path / "toy", train=4, validation=2, test=2)
    spec = read_spec(toy_sweep.write(tmp_path / "recipes"))
    tables = {}
    for name in engines.ENGINES:
        places = Places(tmp_path, tmp_path / name, tmp_path / f"results-{name}")
        outcomes = list(perform(spec, "small", places, engine_name=name))
        told = {o.job.run.cell.name: o.facts["status"] for o in outcomes}
        assert told == {"rate=0.02": "done", "broken": "failed", "rate=0.01": "done"}
        tables[name] = tidy(collect(spec, "small", places)[0])
    assert tables["ray"] == tables["serial"]
    measured = [line for line in tables["ray"] if line["metric"] == "HC ADF mm"]
    assert {line["row"] for line in measured if line["value"]} == {"rate=0.02", "rate=0.01"}
