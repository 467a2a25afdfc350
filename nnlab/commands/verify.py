"""`nnlab verify`: which files of a run are what nnlab wrote."""

from typing import Any

import typer

from nnlab.commands import options


def verify(runs: options.RunsArgument = None, json: options.JsonOption = False) -> None:
    """Checks every file of a run against its sum: SHA-256, written with it.

    Exit code 0: nothing is damaged. 4: something is; eval, predict and resume refuse it. A file of
    an older nnlab has no sum: it is read as it is, and said to have none.
    """
    from nnlab.runs.folder.find import find_run
    from nnlab.runs.folder.soundness import file_states

    options.collect_garbage_again()
    found = {folder: file_states(folder) for folder in map(find_run, runs or ["last"])}
    if json:
        from json import dumps

        plain: dict[str, Any] = {
            str(run): [state._asdict() for state in states] for run, states in found.items()
        }
        typer.echo(dumps(plain))
    else:
        from nnlab.core.text import render_text, text_grid

        for run, states in found.items():
            cells = [(state.file, state.state, state.why) for state in states]
            counts = {state.state: 0 for state in states}
            for state in states:
                counts[state.state] += 1
            said = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
            page = render_text(f"{run}: {said}", text_grid(cells, whole=(0, 1)))
            options.show_text(page, nl=False)
    if any(state.state == "damaged" for states in found.values() for state in states):
        raise typer.Exit(4)
