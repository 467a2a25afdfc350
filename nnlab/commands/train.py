"""`nnlab train`: one run, a comparison, or a smoke run."""

import sys
from typing import TYPE_CHECKING, Any

import typer

from nnlab.commands import options
from nnlab.commands.eval import print_scores

if TYPE_CHECKING:
    from nnlab.comparison.group import Group
    from nnlab.comparison.view import GroupView
    from nnlab.config.loading import Text
    from nnlab.display.views import View
    from nnlab.experiment.settle import Experiment


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
    from nnlab.config.loading import place_for
    from nnlab.core.errors import ConfigError
    from nnlab.runs import prefetch

    if resume and run_dir is None:
        raise ConfigError("--resume: needs --run-dir DIR (nnlab resume RUN continues a run)")
    options.check_device(device)
    text, group, (experiment, *_) = _checked(config, set_ or [])
    if smoke:
        from nnlab.commands.smoke import smoke_all

        options.collect_garbage_again()
        print_scores(smoke_all(group, device=device, view=view_of(quiet)), json=json)
        return
    if group.compares:
        from nnlab.comparison.train import train_group

        options.collect_garbage_again()
        comparison = train_group(
            group,
            source=text.text,
            run_dir=run_dir,
            resume=resume,
            device=device,
            deterministic=deterministic,
            view=comparison_view_of(quiet),
        )
        print_summary(comparison, json=json)
        return
    prefetch.begin_loading(experiment.config.data, place_for(experiment.config.origins.folder))
    from nnlab.runs.run import train as run_train

    options.collect_garbage_again()
    summary = run_train(
        text,
        overrides=set_ or [],
        run_dir=run_dir,
        resume=resume,
        device=device,
        deterministic=deterministic,
        view=view_of(quiet),
    )
    print_summary(summary, json=json)


def view_of(quiet: bool) -> "View":
    """Where a run shows itself: on stderr, as the terminal can."""
    from nnlab.display.open_view import open_view

    return open_view(quiet=quiet, stream=sys.stderr)


def comparison_view_of(quiet: bool) -> "GroupView":
    """Where a comparison shows itself: on stderr."""
    from nnlab.comparison.view import GroupView

    return GroupView(quiet=quiet, stream=sys.stderr)


def _checked(config: str, overrides: list[str]) -> "tuple[Text, Group, list[Experiment]]":
    """Tells mistakes before torch is imported, which takes seconds; `-` can be read only once."""
    from nnlab.comparison.group import settle_source
    from nnlab.config.loading import read_text

    text = read_text(config)
    group, experiments = settle_source(text, overrides)
    return text, group, list(experiments.values())


def print_summary(summary: Any, *, json: bool) -> None:
    """Prints the folder, or everything as JSON; ends with the exit code of the run."""
    if json:
        from json import dumps

        typer.echo(dumps({"run": str(summary.run), **summary.plain()}, default=str))
    else:
        typer.echo(str(summary.run))
    raise typer.Exit(summary.exit_code)
