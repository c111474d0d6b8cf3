"""HaarPSI against the figures of its authors."""

import numpy as np
import pytest
from cotj.measuring.haarpsi import haarpsi


def picture(height, width):
    y, x = np.mgrid[0:height, 0:width] / 64
    return np.stack([0.5 + 0.5 * np.sin(9 * y), 0.5 + 0.5 * np.sin(14 * x), (x + y) / 2], -1).clip(0, 1)


def grainy(image):
    grain = np.sign(np.sin(1e3 * np.arange(image.size))).reshape(image.shape)
    return (image + 0.1 * grain).clip(0, 1)


CHANGES = {
    "darker": lambda image: image**1.3,
    "shifted": lambda image: np.roll(image, 2, 1),
    "flipped": lambda image: image[::-1],
    "grainy": grainy,
}


@pytest.mark.parametrize(
    ("size", "change", "authors", "piq"),
    [
        ((48, 64), "darker", 0.9637534258301074, 0.96372),
        ((48, 64), "shifted", 0.6168264489501837, 0.61676),
        ((48, 64), "flipped", 0.6949302393264553, 0.69464),
        ((48, 64), "grainy", 0.9582017277850838, 0.95821),
        ((33, 47), "darker", 0.9668968659628429, 0.96680),
        ((33, 47), "shifted", 0.6388621774080784, 0.63878),
        ((33, 47), "flipped", 0.5958474148247868, 0.59530),
        ((33, 47), "grainy", 0.9447050216556743, 0.94472),
    ],
)
def test_it_is_that_of_the_authors_code_and_of_a_published_package(size, change, authors, piq):
    """The code is github.com/rgcda/haarpsi at 3b9599b; the package piq 0.8.0, whose colours have more digits."""
    image = picture(*size)
    found = haarpsi(CHANGES[change](image), image)
    assert found == pytest.approx(authors, abs=1e-9)
    assert found == pytest.approx(piq, abs=1e-3)
    assert haarpsi(image, CHANGES[change](image)) == found


def test_equal_images_are_alike_even_black_ones():
    for image in (picture(32, 32), np.zeros((16, 16, 3))):
        assert haarpsi(image, image) == pytest.approx(1)
