import pytest

from fetometry.report.draw import Font


@pytest.fixture
def written(monkeypatch):
    """The lines of text that are drawn, in order."""
    lines = []
    put = Font.put

    def record(font, canvas, text, row, col):
        lines.append((text, col + font.width(text), canvas.shape[1]))
        put(font, canvas, text, row, col)

    monkeypatch.setattr(Font, "put", record)
    return lines
