"""`nnlab resume`: goes on with a run or a comparison."""

from nnlab.commands import options
from nnlab.commands.train import comparison_view_of, print_summary, view_of


def resume(
    run: options.RunArgument,
    set_: options.SetOption = None,
    device: options.DeviceOption = "auto",
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Continues a run; only durations and logging may change."""
    from nnlab.runs.folder.find import find_run, is_comparison

    options.check_device(device)
    folder = find_run(run)
    if is_comparison(folder):
        from nnlab.comparison.train import resume_comparison

        options.collect_garbage_again()
        view = comparison_view_of(quiet)
        found = resume_comparison(folder, set_ or [], device=device, view=view)
        print_summary(found, quiet=quiet, json=json)
        return
    from nnlab.runs.run import resume as resume_run

    options.collect_garbage_again()
    summary = resume_run(folder, overrides=set_ or [], device=device, view=view_of(quiet))
    print_summary(summary, quiet=quiet, json=json)
