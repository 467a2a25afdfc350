"""`nnlab train`: one run, a comparison, or a smoke run."""

import sys
from typing import TYPE_CHECKING, Any

import typer

from nnlab.commands import options
from nnlab.commands.eval import print_scores

if TYPE_CHECKING:
    from nnlab.comparison.view import ComparisonView
    from nnlab.display.views import View


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
    """Trains. The last line on stdout is the run's folder."""
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
    if settled.comparison.compares:
        from nnlab.comparison.train import train_comparison

        options.collect_garbage_again()
        comparison = train_comparison(
            settled,
            run_dir=run_dir,
            resume=resume,
            device=device,
            deterministic=deterministic,
            view=comparison_view_of(quiet),
        )
        print_summary(comparison, json=json)
        return
    from nnlab.runs.prefetch import prefetch

    ahead = prefetch(settled.first)
    from nnlab.runs.run import train as run_train

    options.collect_garbage_again()
    summary = run_train(
        settled.first,
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        view=view_of(quiet),
        ahead=ahead,
    )
    print_summary(summary, json=json)


def view_of(quiet: bool) -> "View":
    """Where a run shows itself: on stderr, as the terminal can."""
    from nnlab.display.open_view import open_view

    return open_view(quiet=quiet, stream=sys.stderr)


def comparison_view_of(quiet: bool) -> "ComparisonView":
    """Where a comparison shows itself: on stderr."""
    from nnlab.comparison.view import ComparisonView

    return ComparisonView(quiet=quiet, stream=sys.stderr)


def print_summary(summary: Any, *, json: bool) -> None:
    """Prints the folder, or everything as JSON; ends with the exit code of the run."""
    if json:
        from json import dumps

        typer.echo(dumps({"run": str(summary.run), **summary.plain()}, default=str))
    else:
        options.show_path(summary.run)
    raise typer.Exit(summary.exit_code)
