"""The shape of sequences that end at different steps."""


class PaddedShape(tuple[int, ...]):
    """The shape (time, features) of a sequence that may end earlier: behind its end stands NaN."""

    __slots__ = ()
