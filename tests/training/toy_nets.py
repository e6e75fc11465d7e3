"""Networks from outside the package, small enough to train and to export in seconds."""

import torch
from torch import nn

from fetometry.types import PLANE_CLASSES


class Whole(nn.Module):
    """One vector for the whole image: a linear layer on the means and the maxima."""

    def __init__(self, width, channels):
        super().__init__()
        self.linear = nn.Linear(2 * width, channels)

    def forward(self, features):
        return self.linear(torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1))


class Tiny(nn.Module):
    """Two convolutions with all that a resumed run can get wrong: statistics and dropout."""

    def __init__(self, outputs):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=2, padding=2),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout2d(0.1),
        )
        self.outputs = nn.ModuleDict(
            {
                name: Whole(8, output.channels)
                if output.whole
                else nn.Conv2d(8, output.channels, 5, padding=2)
                for name, output in outputs.items()
            }
        )

    def forward(self, image):
        features = self.body(image)
        return {name: output(features) for name, output in self.outputs.items()}


def tiny(options, outputs, size):
    return Tiny(outputs)


class Level(nn.Module):
    """Logits that say by how much a smoothed pixel is above a grey value, 8 for every 128."""

    def __init__(self, grey):
        super().__init__()
        self.smooth = nn.Conv2d(1, 16, 3, padding=1, padding_mode="replicate", bias=False)
        self.level = nn.Conv2d(16, 1, 1)
        kernel = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16
        with torch.no_grad():
            self.smooth.weight.copy_(kernel.expand(16, 1, 3, 3))
            self.level.weight.fill_(8 / 16)
            self.level.bias.fill_(-8 * (grey - 127) / 128)

    def forward(self, image):
        return self.level(self.smooth(image))


class Threshold(nn.Module):
    """A network that is right without training: logits are how far a pixel is above 90."""

    def __init__(self, outputs):
        super().__init__()
        (self.name,) = outputs
        self.outputs = nn.ModuleDict({self.name: Level(90)})

    def forward(self, image):
        return {self.name: self.outputs[self.name](image)}


def threshold(options, outputs, size):
    return Threshold(outputs)


class Brightness(nn.Module):
    """Tells the toy exams' planes apart by the mean grey of a picture.

    Nothing has about 15, a femur 21, an abdomen 34, a head 47; the lines are drawn between.
    """

    ORDER = ("none", "femur", "abdomen", "head")
    BETWEEN = (18.0, 27.0, 39.7)

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, len(PLANE_CLASSES))
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.bias.fill_(-50.0)
            for i, name in enumerate(self.ORDER):
                place = PLANE_CLASSES.index(name)
                self.linear.weight[place] = 2 * 128.0 * i
                self.linear.bias[place] = 2 * (127.0 * i - sum(self.BETWEEN[:i]))

    def forward(self, image):
        return self.linear(image.mean(dim=(2, 3)))


class Sighted(nn.Module):
    """A network that is right about the toy exams without training."""

    def __init__(self, outputs):
        super().__init__()
        kinds = {"outline": 58, "shaft": 58, "ends": 180, "across": 150}
        self.outputs = nn.ModuleDict(
            {name: Level(kinds[name]) if name in kinds else Brightness() for name in outputs}
        )

    def forward(self, image):
        return {name: output(image) for name, output in self.outputs.items()}


def sighted(options, outputs, size):
    return Sighted(outputs)
