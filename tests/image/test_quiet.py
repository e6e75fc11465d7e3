import threading
import warnings

import cv2
import pytest

from fetometry.image import quiet

LOG = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging


@pytest.fixture
def level():
    before = LOG.getLogLevel()
    LOG.setLogLevel(4)
    yield 4
    LOG.setLogLevel(before)


def test_opencv_is_silent_inside_and_as_before_outside(level):
    with quiet.opencv:
        assert LOG.getLogLevel() == 0
    assert LOG.getLogLevel() == level


def test_opencv_is_as_before_after_an_error(level):
    with pytest.raises(ZeroDivisionError), quiet.opencv:
        1 / 0  # noqa: B018
    assert LOG.getLogLevel() == level


def test_the_last_of_two_overlapping_threads_puts_the_level_back(level):
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with quiet.opencv:
            inside.set()
            leave.wait(5)

    other = threading.Thread(target=stay)
    with quiet.opencv:
        other.start()
        assert inside.wait(5)
    assert LOG.getLogLevel() == 0
    leave.set()
    other.join()
    assert LOG.getLogLevel() == level


def test_warnings_are_ignored_inside_and_as_before_outside():
    with quiet.pydicom:
        warnings.warn("a malformed character set", stacklevel=1)
    with pytest.raises(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)
