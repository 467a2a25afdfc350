"""`nnlab check`: is a config written right? Nothing is built or loaded, without torch."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from nnlab.commands import options
from nnlab.comparison.comparison import SettledComparison, settle_source
from nnlab.config.loading import read_text
from nnlab.core.errors import ConfigError, DataError, NnlabError
from nnlab.experiment.experiment import Experiment

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)", re.DOTALL)


def check(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Files or bundled names.",
            autocompletion=options.complete_config,
        ),
    ],
    set_: options.SetOption = None,
    format: Annotated[
        Literal["text", "github"], typer.Option(help="How mistakes are printed.")
    ] = "text",
) -> None:
    """Is it written right? Quick: nothing is built or loaded."""
    raise typer.Exit(check_files(files, set_ or [], style=format))


def check_files(
    sources: Sequence[str], overrides: Sequence[str] = (), *, style: Literal["text", "github"]
) -> int:
    """Checks configs one by one and says of each what it would train, or what is wrong.

    Args:
        sources: files or bundled names.
        overrides: as `--set` takes them, for each of the configs.
        style: how mistakes are told.

    Returns:
        The exit code: 0, 2 if one is wrong, 3 if only data are.
    """
    codes = {_check_one(source, overrides, style) for source in sources}
    wrong = codes - {0}
    return min(wrong) if wrong else 0


def _check_one(source: str, overrides: Sequence[str], style: Literal["text", "github"]) -> int:
    shown = source
    try:
        text = read_text(source)
        shown = text.file
        settled = settle_source(text, overrides)
        for experiment in settled.experiments.values():
            if experiment.config.model.begin is not None:
                from nnlab.runs.weights.beginning import beginning_of

                beginning_of(experiment)
        options.show_text(f"{shown}: ok ({describe_experiments(settled)})")
        for remark in _remarks(settled):
            options.tell(f"{shown}: {remark}")
    except (ConfigError, DataError) as error:
        for line in _told(error, shown):
            # GitHub reads its annotations from either stream.
            if style == "github":
                options.show_text(annotation(line, shown), err=True)
            else:
                options.tell(line)
        return error.exit_code
    return 0


def _remarks(settled: SettledComparison) -> list[str]:
    """What `auto` took that one may not expect, of all its runs, each once."""
    found = (one.remarks() for one in settled.experiments.values())
    return list(dict.fromkeys(remark for remarks in found for remark in remarks))


def _told(error: NnlabError, file: str) -> list[str]:
    """The lines of an error, each with the file it belongs to."""
    known = (f"{file}:", "--set ", "... and ")
    return [line if line.startswith(known) else f"{file}: {line}" for line in error.lines]


def describe_experiments(settled: SettledComparison) -> str:
    """One line; of a comparison how many runs there are, and the first."""
    first, comparison = _described(settled.first), settled.comparison
    return f"{len(comparison.members)} runs; {first}" if comparison.compares else first


def _described(experiment: Experiment) -> str:
    """Data, network, size, length."""
    config, sizes = experiment.config, experiment.shape.sizes
    train = config.train
    total = experiment.total
    length = f"{train.minutes:g} min" if total is None else f"{total:,} steps"
    return (
        f"{config.data.called}, {sizes['train']:,} examples, {config.model.kind}, "
        f"{experiment.design.parameters:,} parameters, {length}"
    )


def annotation(line: str, file: str) -> str:
    """A mistake as GitHub shows it beside the line: `::error file=..,line=..,col=..::text`."""
    found = _PLACE.fullmatch(line)
    if found is None:
        return f"::error file={_property(file)}::{_message(line.removeprefix(f'{file}: '))}"
    place = f"file={_property(found['file'])},line={found['line']},col={found['column']}"
    return f"::error {place}::{_message(found['text'])}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
