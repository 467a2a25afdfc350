"""The menu of pictures: what a teacher opens first.

To add one: a file with a class that says whom it fits, what it collects and how it is drawn, and
its name here. Pictures apply by data and model; no config names them.
"""

from nnlab.display.pictures.boundary import DecisionBoundary
from nnlab.display.pictures.depth import GradientByDepth
from nnlab.display.pictures.descent import Descent
from nnlab.display.pictures.diagram import Diagram
from nnlab.display.pictures.family import Drawing, Picture
from nnlab.display.pictures.filters import FirstWeights
from nnlab.display.pictures.fit import FittedFunction
from nnlab.display.pictures.hidden import HiddenSpace
from nnlab.display.pictures.inputs.answers import AnswerParts
from nnlab.display.pictures.judged import JUDGEMENTS
from nnlab.display.pictures.learning_curve import LearningCurve
from nnlab.display.pictures.sequences.attention import KINDS as ATTENTION
from nnlab.display.pictures.sequences.through_time import Gates, GradientThroughTime
from nnlab.display.pictures.sequences.told import Forecast, NextTokens

KINDS: tuple[type[Picture], ...] = (
    DecisionBoundary,
    FittedFunction,
    Descent,
    GradientThroughTime,
    Gates,
    NextTokens,
    Forecast,
    LearningCurve,
    GradientByDepth,
    HiddenSpace,
    FirstWeights,
    Diagram,
    AnswerParts,
    *ATTENTION,
)
"""In the order in which they are looked at."""

DRAWINGS: tuple[type[Drawing], ...] = (*KINDS, *JUDGEMENTS)
"""All that can be drawn."""
