"""Bodies of several parts, however their bytes arrive."""

from collections.abc import Callable

import pytest

from fetometry.serve.dicomweb import multipart


def in_steps(body: bytes, step: int) -> Callable[[int], bytes]:
    pieces = iter([body[i : i + step] for i in range(0, len(body), step)])
    return lambda most: next(pieces, b"")


FILE = b"\r\n--BOUND\r\n--BOUNDAR\0\xff\r\n" * 3


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("before", [b"", b"preamble\r\n"])
def test_a_part_comes_out_as_it_was_however_the_bytes_arrive(step, before):
    body = before + b"--BOUNDARY\r\nContent-Type: x\r\n\r\n" + FILE + b"\r\n--BOUNDARY--\r\n"
    out = bytearray()
    multipart.copy_first_part(in_steps(body, step), "BOUNDARY", out.extend)
    assert bytes(out) == FILE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--BOUNDARY--\r\n\r\n",
        b"--BOUNDARY\r\nContent-Type: x\r\n",
        b"--BOUNDARY\r\n\r\nthe file",
        b"<html>" * 40000,
    ],
)
def test_a_body_without_a_whole_part_is_refused(body):
    with pytest.raises(multipart.BrokenBodyError):
        multipart.copy_first_part(in_steps(body, 9), "BOUNDARY", bytearray().extend)


def test_what_is_wrapped_is_as_long_as_it_says_and_comes_out_again(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(FILE)
    length, pieces = multipart.wrapped(file, "BOUNDARY")
    body, out = b"".join(pieces), bytearray()
    assert len(body) == length
    multipart.copy_first_part(in_steps(body, 5), "BOUNDARY", out.extend)
    assert bytes(out) == FILE
