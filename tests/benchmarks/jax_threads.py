"""How many threads JAX computes with; to be said before it is imported."""

import os


def limit(threads: int) -> None:
    """One thread, or as many as JAX likes: it knows no number in between."""
    if threads == 1:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
