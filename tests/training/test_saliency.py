# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("segmentation_models_pytorch", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from torch import nn

from fetometry.errors import DataError, OutputError, RecipeError
from fetometry.geometry import Ellipse
from fetometry.training import fit, saliency
from fetometry.training.saliency import Saliency, gradients, mean_shares, write_saliency
from tests.training import toy

pytestmark = pytest.mark.train


class Looks(nn.Module):
    """Tells the mean of a part of the picture, and looks at nothing else."""

    def __init__(self, part, outputs):
        super().__init__()
        self.part = part
        self.gain = nn.Parameter(torch.ones(1))
        self.outputs = tuple(outputs)

    def forward(self, image):
        told = self.gain * image[:, 0, self.part[0], self.part[1]].mean(dim=(1, 2))
        return dict.fromkeys(self.outputs, told[:, None])


def looks_at_the_middle(options, outputs, size):
    # every head of the toy's pictures covers it
    return Looks((slice(24, 40), slice(40, 56)), outputs)


def looks_at_the_ruler(options, outputs, size):
    return Looks((slice(None), slice(0, 5)), outputs)


def make_run(folder, network, head=None):
    recipe = toy.recipe(
        network={"name": f"tests.training.test_saliency:{network}"},
        heads={"outline": head or {"name": "size", "scale_px": 150.0}},
    )
    folder.mkdir()
    torch.save({"state_dict": fit.System(recipe, {}).state_dict()}, folder / fit.BEST)
    (folder / fit.RECIPE_FILE).write_text(recipe.as_json(), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return toy.make(tmp_path_factory.mktemp("toy"), validation=3)


@pytest.mark.parametrize(
    ("network", "head", "ruler"),
    [("looks_at_the_middle", 1.0, 0.0), ("looks_at_the_ruler", 0.0, 1.0)],
)
def test_all_of_the_saliency_is_where_a_network_looks(network, head, ruler, rows, tmp_path):
    found = saliency.saliency(make_run(tmp_path / "run", network), rows, 3)
    assert len(found) == 3
    for one in found:
        assert one.map.sum() == pytest.approx(1.0)
        assert one.shares["head"] == pytest.approx(head, abs=1e-6)
        # 5 of 96 columns lie on the strip of 6 %
        assert one.shares["ruler"] == pytest.approx(ruler, abs=1e-6)


def test_the_gradient_of_a_mean_is_the_same_on_all_of_its_pixels():
    network = Looks((slice(0, 4), slice(0, 5)), ["hc"])
    image = torch.rand(2, 1, 8, 10, generator=torch.Generator().manual_seed(0))
    wanted = torch.zeros(2, 8, 10)
    wanted[:, :4, :5] = 1 / 20
    torch.testing.assert_close(gradients(network, "hc", image), wanted)


def test_the_noise_is_drawn_alike_every_time():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 6 * 8, 1))

    class Named(nn.Module):
        def forward(self, image):
            return {"hc": network(image)}

    image = torch.rand(1, 1, 8, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(gradients(Named(), "hc", image), gradients(Named(), "hc", image))


def evenly(ellipse, shape=(100, 200)):
    """A network that looks everywhere alike."""
    return Saliency(None, np.zeros(shape, np.uint8), np.full(shape, 1 / 20000), ellipse)


def test_a_network_that_looks_everywhere_has_the_shares_of_the_areas():
    shares = evenly(Ellipse((50.0, 100.0), (40.0, 30.0), 0.0)).shares
    for name in ("head", "edge", "ruler"):
        assert shares[name] == pytest.approx(shares[f"{name} area"])
    # 15 % beyond the ellipse, and 15 % either side of its edge
    assert shares["head"] == pytest.approx(np.pi * 40 * 30 * 1.15**2 / 20000, abs=2e-3)
    assert shares["edge"] == pytest.approx(np.pi * 40 * 30 * (1.15**2 - 0.85**2) / 20000, abs=2e-3)
    assert shares["ruler"] == pytest.approx(0.06)


def test_what_a_head_covers_of_the_ruler_s_strip_is_the_head_s():
    shares = evenly(Ellipse((50.0, 20.0), (40.0, 30.0), 0.0)).shares
    assert 0 < shares["ruler"] < 0.03


def test_means_are_over_pictures():
    one, other = (evenly(Ellipse((50.0, 100.0), (a, 20.0), 0.0)) for a in (40.0, 20.0))
    both = mean_shares([one, other])
    assert both["head"] == pytest.approx((one.shares["head"] + other.shares["head"]) / 2)


def test_pictures_are_taken_from_small_heads_to_large_ones(rows, tmp_path):
    run = make_run(tmp_path / "run", "looks_at_the_middle")
    sizes = [one.row.ellipse.circumference for one in saliency.saliency(run, rows, 2)]
    assert sizes == [f(row.ellipse.circumference for row in rows) for f in (min, max)]


def test_the_panel_is_written_and_its_shares_are_returned(rows, tmp_path):
    run, path = make_run(tmp_path / "run", "looks_at_the_ruler"), tmp_path / "new" / "looks.png"
    shares = write_saliency(run, rows, path, count=3)
    assert shares["ruler"] == pytest.approx(1.0, abs=1e-6)
    picture = cv2.imread(str(path))
    # two columns of panels, each a picture beside itself
    assert picture.shape[1] == 4 * saliency.SIZE
    lit = picture[:, saliency.SIZE : saliency.SIZE + 8].astype(int)
    assert np.mean(np.abs(lit - saliency.SALIENT).max(axis=-1) < 20) > 0.2


def test_a_run_that_tells_no_size_is_refused(rows, tmp_path):
    run = make_run(tmp_path / "run", "looks_at_the_ruler", {"name": "plane"})
    with pytest.raises(RecipeError, match="no output that tells a size"):
        saliency.saliency(run, rows, 1)


def test_images_without_an_ellipse_are_refused(tmp_path):
    run = make_run(tmp_path / "run", "looks_at_the_ruler")
    with pytest.raises(DataError, match="none of the images has a known ellipse"):
        saliency.saliency(run, [], 1)


def test_a_panel_that_cannot_be_written_is_an_output_error(rows, tmp_path):
    (tmp_path / "file").touch()
    run = make_run(tmp_path / "run", "looks_at_the_ruler")
    with pytest.raises(OutputError, match="cannot be written"):
        write_saliency(run, rows, tmp_path / "file" / "looks.png", count=1)
