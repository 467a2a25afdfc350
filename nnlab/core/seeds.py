"""A seed of its own for everything that is drawn."""

from hashlib import sha256


def seed_for(seed: int, purpose: str, counter: int = 0) -> int:
    """A seed of its own for each purpose and counter, in [0, 2^63).

    The first 63 bits of SHA-256: streams of neighbouring seeds, purposes and counters have nothing
    in common, which seed + 1 does not promise.

    Args:
        seed: the user's seed.
        purpose: what is drawn: "init", "split", "order", "dropout", "augment".
        counter: the epoch for "order", the step for "dropout", the example for "augment", else 0.
    """
    digest = sha256(f"{seed}/{purpose}/{counter}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
