"""Finding lines in pictures."""

import numpy as np


def coloured(picture, colour, tolerance=40):
    """Where the picture has nearly this colour."""
    return np.all(np.abs(picture.astype(int) - colour) <= tolerance, axis=-1)


def centers(mask, factor=1.0):
    """Pixels of a mask as positions in a source that was enlarged by `factor`."""
    return (np.argwhere(mask) + 0.5) / factor - 0.5
