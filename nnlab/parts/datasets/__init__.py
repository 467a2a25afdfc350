"""Data sets: what a network learns from. Each kind describes, reads, splits and scales itself.

To add one: see `family.py`, write a class and name it at the foot of its file; a new file is named
here.
"""

from typing import Annotated

from nnlab.core.kinds import Menu
from nnlab.parts.datasets.family import DataConfig

Data = Annotated[
    DataConfig,
    Menu(
        "nnlab.parts.datasets.downloads.idx",
        "nnlab.parts.datasets.downloads.bundled",
        "nnlab.parts.datasets.synthetic.points",
        "nnlab.parts.datasets.synthetic.gates",
        "nnlab.parts.datasets.synthetic.inline",
        "nnlab.parts.datasets.synthetic.surface",
        "nnlab.parts.datasets.downloads.archives",
        "nnlab.parts.datasets.files.csv_table",
        "nnlab.parts.datasets.files.npz",
        "nnlab.parts.datasets.files.image_folder",
        "nnlab.parts.datasets.sequences.text",
        "nnlab.parts.datasets.sequences.series",
        "nnlab.parts.datasets.sequences.memory",
        unlisted="nnlab.parts.datasets.files.arrays",
    ),
]
