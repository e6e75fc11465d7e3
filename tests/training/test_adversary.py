# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import math

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from torch import nn

from fetometry.errors import RecipeError
from fetometry.training.adversary import (
    Adversary,
    Opponent,
    PairDiscriminator,
    build_opponent,
    discriminator_loss,
    discriminator_step,
    fake_pair,
    found_out,
    non_saturating_loss,
    real_pair,
    saturating_loss,
)
from fetometry.training.heads import EndsHead, SolidEndsHead, SolidHead, VolumeTruth
from fetometry.training.recipe import Adversary as Options

pytestmark = pytest.mark.train

SIZE = (12, 8, 16)
HEADS = {"mask": SolidHead(), "ends": SolidEndsHead(sigma_voxels=1.5)}


class Generator(nn.Module):
    """One convolution from a volume to a mask and two heatmaps."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv3d(1, 3, 3, padding=1)

    def forward(self, volume):
        maps = self.last(volume)
        return {"mask": maps[:, :1], "ends": maps[:, 1:]}


@pytest.fixture
def game():
    """A discriminator, a generator, a volume, and the real pair that belongs to it."""
    torch.manual_seed(0)
    mask = (torch.rand(2, 1, *SIZE) > 0.7).float()
    real = real_pair(mask, torch.rand(2, 2, *SIZE))
    return PairDiscriminator(2), Generator(), torch.rand(2, 1, *SIZE), real


def weights(network):
    return [weight.detach().clone() for weight in network.parameters()]


def moved(network, before):
    return [not torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True)]


def test_the_discriminator_is_as_printed():
    built = PairDiscriminator(4)
    convolutions = [m for m in built.modules() if isinstance(m, nn.Conv3d)]
    assert [m.kernel_size for m in convolutions] == [(4, 4, 4)] * 6
    assert [m.stride for m in convolutions] == [(2, 2, 2)] * 2 + [(1, 1, 1)] * 4
    assert convolutions[0].in_channels == 3
    assert [m.out_features for m in built.modules() if isinstance(m, nn.Linear)] == [1]


@pytest.mark.parametrize("size", [(8, 8, 8), (9, 16, 13)])
def test_the_discriminator_gives_one_logit_for_a_pair_of_any_size(size):
    assert PairDiscriminator(2)(torch.rand(2, 3, *size)).shape == (2,)


def test_a_pair_is_the_mask_as_probabilities_and_the_two_heatmaps():
    maps = torch.linspace(-3, 3, 2 * 3 * 8).view(2, 3, 2, 2, 2)
    fake = fake_pair({"mask": maps[:, :1], "ends": maps[:, 1:]})
    torch.testing.assert_close(fake[:, 0], torch.sigmoid(maps[:, 0]))
    assert torch.equal(fake[:, 1:], maps[:, 1:])
    real = real_pair(torch.ones(2, 1, 2, 2, 2, dtype=torch.bool), maps[:, 1:])
    assert torch.equal(real[:, 1:], fake[:, 1:])
    assert real[:, 0].unique().tolist() == [1]


def logits(*probabilities):
    return torch.tensor([math.log(p / (1 - p)) for p in probabilities])


def test_the_losses_are_worked_by_hand():
    real, fake = logits(0.8, 0.5), logits(0.1, 0.4)
    expected = -(math.log(0.8) + math.log(0.9) + math.log(0.5) + math.log(0.6)) / 2
    assert discriminator_loss(real, fake).item() == pytest.approx(expected)
    expected = -(math.log(0.1) + math.log(0.4)) / 2
    assert non_saturating_loss(fake).item() == pytest.approx(expected)
    expected = (math.log(0.9) + math.log(0.6)) / 2
    assert saturating_loss(fake).item() == pytest.approx(expected)


def test_the_losses_are_finite_where_a_probability_would_be_0_or_1():
    sure = torch.tensor([200.0])
    for loss in (discriminator_loss(-sure, sure), non_saturating_loss(-sure)):
        assert loss.item() >= 200
        assert torch.isfinite(loss)


def test_what_the_paper_prints_has_no_bound_where_the_right_form_has():
    def printed(real, fake):  # Eq. 3, to be raised: log D(real) + 1 - log D(fake)
        return nn.functional.logsigmoid(real) + 1 - nn.functional.logsigmoid(fake)

    sure = torch.tensor([1e3, 1e6])
    assert printed(sure, -sure).tolist() == pytest.approx([1e3 + 1, 1e6 + 1])
    assert discriminator_loss(sure, -sure).item() == 0


def test_a_fake_that_is_found_out_has_a_slope_only_in_the_non_saturating_form():
    found_out = torch.tensor([-12.0], requires_grad=True)
    (strong,) = torch.autograd.grad(non_saturating_loss(found_out), found_out)
    (weak,) = torch.autograd.grad(saturating_loss(found_out), found_out)
    assert strong.item() == pytest.approx(-1, abs=1e-4)
    assert -1e-5 < weak.item() < 0


def test_a_step_of_the_discriminator_lowers_its_loss_on_the_same_pair(game):
    discriminator, generator, volume, real = game
    optimiser = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    fake = fake_pair(generator(volume))
    losses = [discriminator_step(discriminator, optimiser, real, fake).item() for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_a_discriminator_learns_to_tell_the_real_pair_from_the_fake_one(game):
    discriminator, generator, volume, real = game
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
    fake = fake_pair(generator(volume))
    for _ in range(20):
        discriminator_step(discriminator, optimiser, real, fake)
    with torch.no_grad():
        assert discriminator(real).min() > 1
        assert discriminator(fake).max() < -1


@pytest.mark.parametrize("form", ["non_saturating", "saturating"])
def test_a_step_of_the_generator_makes_its_fakes_more_real(game, form):
    discriminator, generator, volume, _ = game
    optimiser = torch.optim.SGD(generator.parameters(), lr=0.1)
    fake = fake_pair(generator(volume))
    before = discriminator(fake).sigmoid().mean().item()
    found_out(discriminator, fake, Adversary(1.0, form)).backward()
    optimiser.step()
    after = discriminator(fake_pair(generator(volume))).sigmoid().mean().item()
    assert after > before


def test_each_step_moves_only_its_own_network(game):
    discriminator, generator, volume, real = game
    theirs = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    ours = torch.optim.SGD(generator.parameters(), lr=0.1)
    before = weights(discriminator), weights(generator)
    discriminator_step(discriminator, theirs, real, fake_pair(generator(volume)))
    assert all(moved(discriminator, before[0]))
    assert not any(moved(generator, before[1]))
    assert all(weight.grad is None for weight in generator.parameters())
    discriminator.zero_grad()
    before = weights(discriminator), weights(generator)
    fake = fake_pair(generator(volume))
    (fake.mean() + found_out(discriminator, fake, Adversary(1.0))).backward()
    ours.step()
    assert all(moved(generator, before[1]))
    assert not any(moved(discriminator, before[0]))
    assert all(weight.grad is None for weight in discriminator.parameters())
    assert all(weight.requires_grad for weight in discriminator.parameters())


def test_being_found_out_costs_its_weight_times_the_loss_of_its_form(game):
    discriminator, generator, volume, _ = game
    fake = fake_pair(generator(volume))
    for form, loss in (("non_saturating", non_saturating_loss), ("saturating", saturating_loss)):
        expected = 0.3 * loss(discriminator(fake)).item()
        cost = found_out(discriminator, fake, Adversary(0.3, form)).item()
        assert cost == pytest.approx(expected)


def test_a_weight_of_the_discriminator_that_is_frozen_stays_frozen(game):
    discriminator, generator, volume, _ = game
    discriminator.last.bias.requires_grad_(False)
    found_out(discriminator, fake_pair(generator(volume)), Adversary(1.0))
    wanted = {name: weight.requires_grad for name, weight in discriminator.named_parameters()}
    assert [name for name, wants in wanted.items() if not wants] == ["last.bias"]


@pytest.fixture
def match():
    """An opponent, a generator, a volume, and its truth."""
    torch.manual_seed(0)
    mask = (torch.rand(2, 1, *SIZE) > 0.7).float()
    known = VolumeTruth(mask, torch.tensor([[2.0, 3, 4], [8, 5, 12]]).expand(2, 2, 3))
    opponent = build_opponent(Options(from_epoch=0, width=2, learning_rate=1e-2), HEADS)
    return opponent, Generator(), torch.rand(2, 1, *SIZE), known


def test_a_played_batch_moves_the_discriminator_and_gives_the_network_its_slope(match):
    opponent, generator, volume, known = match
    before = weights(opponent), weights(generator)
    lesson, loss = opponent.play(generator(volume), known)
    assert all(moved(opponent, before[0]))
    assert not any(moved(generator, before[1]))
    assert not lesson.requires_grad
    loss.backward()
    assert all(weight.grad.abs().sum() > 0 for weight in generator.parameters())


def test_a_played_batch_moves_both_networks_the_right_way(match):
    opponent, generator, volume, known = match
    ours = torch.optim.SGD(generator.parameters(), lr=0.1)
    real = real_pair(known.mask, HEADS["ends"].targets(torch.zeros(2, 2, *SIZE), known))
    fake = fake_pair(generator(volume)).detach()
    with torch.no_grad():
        untaught = discriminator_loss(opponent.discriminator(real), opponent.discriminator(fake))
    lesson, loss = opponent.play(generator(volume), known)
    assert lesson.item() == pytest.approx(untaught.item())  # its loss before it was taught
    with torch.no_grad():
        taught = discriminator_loss(opponent.discriminator(real), opponent.discriminator(fake))
        judged = non_saturating_loss(opponent.discriminator(fake))
    assert taught < untaught
    assert loss.item() == pytest.approx(judged.item())  # it is judged by the one that was taught
    loss.backward()
    ours.step()
    with torch.no_grad():
        better = opponent.discriminator(fake_pair(generator(volume)))
        assert better.mean() > opponent.discriminator(fake).mean()


def test_the_opponent_takes_the_ends_in_the_order_that_their_head_does(match):
    _, generator, volume, known = match
    outputs = generator(volume)
    drawn = HEADS["ends"].targets(outputs["ends"], known)
    crossed = {"mask": outputs["mask"], "ends": drawn.flip(1)}
    lessons = []
    for order in ("given", "matched"):
        torch.manual_seed(1)
        heads = {**HEADS, "ends": SolidEndsHead(sigma_voxels=1.5, order=order)}
        opponent = build_opponent(Options(from_epoch=0, width=2), heads)
        with torch.no_grad():
            pairs = real_pair(known.mask, drawn), real_pair(known.mask, drawn.flip(1))
            fake = opponent.discriminator(fake_pair(crossed))
            expected = [discriminator_loss(opponent.discriminator(p), fake).item() for p in pairs]
        lessons.append((opponent.play(crossed, known)[0].item(), expected))
    (given, (straight, _)), (either, (_, turned)) = lessons
    assert given == pytest.approx(straight)
    assert either == pytest.approx(turned)


def test_outputs_in_half_precision_are_judged_in_full(match):
    opponent, generator, volume, known = match
    half = {name: output.bfloat16() for name, output in generator(volume).items()}
    lesson, loss = opponent.play(half, known)
    assert lesson.dtype == loss.dtype == torch.float32


def test_an_opponent_is_built_as_it_is_asked_for():
    options = Options(from_epoch=7, weight=0.5, width=3, learning_rate=1e-3, form="saturating")
    built = build_opponent(options, HEADS)
    assert isinstance(built, Opponent)
    assert (built.from_epoch, built.adversary) == (7, Adversary(0.5, "saturating"))
    assert built.discriminator.body[0].out_channels == 3
    (group,) = built.optimiser.param_groups
    assert group["lr"] == 1e-3
    assert {id(w) for w in group["params"]} == {id(w) for w in built.parameters()}
    assert build_opponent(None, HEADS) is None


@pytest.mark.parametrize(
    "heads",
    [
        {"mask": SolidHead()},
        {"ends": SolidEndsHead()},
        {"mask": SolidHead(), "ends": EndsHead()},
    ],
    ids=["no ends", "no mask", "ends of pictures"],
)
def test_an_opponent_without_a_pair_to_judge_is_refused(heads):
    with pytest.raises(RecipeError, match=r"\[adversary\] judges pairs: it needs the heads mask"):
        build_opponent(Options(from_epoch=0), heads)


@pytest.mark.parametrize(
    ("weight", "form", "words"),
    [(1.0, "wasserstein", "known: non_saturating, saturating"), (-1.0, "saturating", "negative")],
)
def test_an_adversary_that_is_not_known_is_refused(weight, form, words):
    with pytest.raises(RecipeError, match=words):
        Adversary(weight, form)


def test_a_form_that_is_not_known_is_refused_when_the_opponent_is_built():
    with pytest.raises(RecipeError, match="known: non_saturating, saturating"):
        build_opponent(Options(from_epoch=0, form="wasserstein"), HEADS)
