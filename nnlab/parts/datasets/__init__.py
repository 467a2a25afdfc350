"""Data sets: what a network learns from. Each kind describes, reads, splits and scales itself.

To add one: see `family.py`, write a class and name it at the foot of its file; a new file is named
here.
"""

from typing import Annotated

from nnlab.choices import Menu
from nnlab.parts.datasets.family import DataConfig

Data = Annotated[
    DataConfig,
    Menu(
        "nnlab.parts.datasets.idx",
        "nnlab.parts.datasets.bundled",
        "nnlab.parts.datasets.synthetic",
        "nnlab.parts.datasets.gates",
        "nnlab.parts.datasets.inline",
        "nnlab.parts.datasets.surface",
        "nnlab.parts.datasets.archives",
        "nnlab.parts.datasets.csv_table",
        "nnlab.parts.datasets.npz",
        "nnlab.parts.datasets.image_folder",
        unlisted="nnlab.parts.datasets.arrays",
    ),
]
