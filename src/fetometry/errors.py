"""Everything that can go wrong, as one tree.

FetometryError
├── ImageError        the file is not an image that can be measured
├── SpacingError      the millimetres per pixel are unknown, ambiguous or implausible
├── ModelError        a model file is missing, altered or without its metadata
├── MeasurementError  the image was read, but what was asked for is not in it
│   └── PlaneError    it shows none of the planes that are measured
├── RecipeError       a recipe has an unknown, missing or mistyped key
├── DataError         a data set does not have the layout it should have
├── OutputError       a result cannot be written where it should go
└── UsageError        the request contradicts itself

Every message says what, where, what is allowed and what to do.
"""


class FetometryError(Exception):
    """Base of every error that this package raises on purpose."""


class ImageError(FetometryError):
    """The file is not an image that can be measured."""


class SpacingError(FetometryError):
    """The millimetres per pixel are unknown, ambiguous or implausible."""


class ModelError(FetometryError):
    """A model file is missing, altered or without its metadata."""


class MeasurementError(FetometryError):
    """The image was read, but what was asked for is not in it."""


class PlaneError(MeasurementError):
    """The image shows none of the planes that are measured."""


class RecipeError(FetometryError):
    """A recipe has an unknown, missing or mistyped key."""


class DataError(FetometryError):
    """A data set does not have the layout it should have."""


class OutputError(FetometryError):
    """A result cannot be written where it should go."""


class UsageError(FetometryError):
    """The request contradicts itself."""
