"""Where in the original photograph the network looked. Needs no torch."""

Box = tuple[float, float, float, float]  # left, top, right, bottom


def centre_square(width: int, height: int) -> Box:
    """Return the largest centred square of a width x height image, in its pixels."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)
