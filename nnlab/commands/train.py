"""`nnlab train`: one run, a comparison, or a smoke run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nnlab.commands import options
from nnlab.commands.eval import print_scores

if TYPE_CHECKING:
    from nnlab.comparison.comparison import SettledComparison
    from nnlab.comparison.result import ComparisonResult
    from nnlab.comparison.view import ComparisonView
    from nnlab.display.views import View
    from nnlab.runs.folder.summary import Summary


def train(
    config: options.ConfigArgument,
    set_: options.SetOption = None,
    device: options.DeviceOption = "auto",
    run_dir: options.RunDirOption = None,
    resume: options.ResumeOption = False,
    deterministic: options.DeterministicOption = False,
    smoke: options.SmokeOption = False,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Trains. The last line on stdout is the run's folder, where a program reads it."""
    from nnlab.comparison.comparison import settle_source
    from nnlab.core.errors import ConfigError

    if resume and run_dir is None:
        raise ConfigError("--resume: needs --run-dir DIR (nnlab resume RUN continues a run)")
    options.check_device(device)
    # Mistakes are told here, before torch is imported, which takes seconds. What was settled is
    # handed on: nothing below reads the file, or decides anything of it, again.
    settled = settle_source(config, set_ or [])
    if smoke:
        from nnlab.commands.smoke import smoke_all

        options.collect_garbage_again()
        print_scores(smoke_all(settled, device=device, view=view_of(quiet)), json=json)
        return
    train_settled = _train_comparison if settled.comparison.compares else _train_one
    summary = train_settled(
        settled,
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        quiet=quiet,
    )
    print_summary(summary, quiet=quiet, json=json)


def _train_one(
    settled: "SettledComparison",
    *,
    run_dir: Path | None,
    resume: bool,
    device: str,
    deterministic: bool,
    quiet: bool,
) -> "Summary":
    from nnlab.runs.prefetch import prefetch

    # The data are read while torch is imported.
    ahead = prefetch(settled.first)
    from nnlab.runs.run import train as run_train

    options.collect_garbage_again()
    return run_train(
        settled.first,
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        view=view_of(quiet),
        ahead=ahead,
    )


def _train_comparison(
    settled: "SettledComparison",
    *,
    run_dir: Path | None,
    resume: bool,
    device: str,
    deterministic: bool,
    quiet: bool,
) -> "ComparisonResult":
    from nnlab.comparison.train import train_comparison

    options.collect_garbage_again()
    return train_comparison(
        settled,
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        view=comparison_view_of(quiet),
    )


def view_of(quiet: bool) -> "View":
    """Where a run shows itself: on stderr, as the terminal can."""
    from nnlab.display.open_view import open_view

    return open_view(quiet=quiet, stream=sys.stderr)


def comparison_view_of(quiet: bool) -> "ComparisonView":
    """Where a comparison shows itself: on stderr."""
    from nnlab.comparison.view import ComparisonView

    return ComparisonView(quiet=quiet, stream=sys.stderr)


def print_summary(summary: "Summary | ComparisonResult", *, quiet: bool, json: bool) -> None:
    """Prints the folder, or everything as JSON; ends with the exit code of the run.

    Args:
        summary: of the run or the comparison.
        quiet: whether its view said nothing.
        json: whether everything is asked for.
    """
    if json:
        from json import dumps

        typer.echo(dumps({"run": str(summary.run), **summary.plain()}, default=str))
    elif quiet or not (sys.stdout.isatty() and sys.stderr.isatty()):
        # On a terminal the view's last lines have named it, in the commands that come next.
        options.show_path(summary.run)
    raise typer.Exit(summary.exit_code)
