"""`nnlab resume`: goes on with a run or a comparison."""

from nnlab.commands import options
from nnlab.commands.train import comparison_view_of, print_summary, view_of


def resume(
    run: options.Run,
    set_: options.Set = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Continues a run; only durations and logging may change."""
    from nnlab.runs.folder.find import find, is_group

    options.check_device(device)
    folder = find(run)
    if is_group(folder):
        from nnlab.comparison.train import resume_group

        options.ready()
        view = comparison_view_of(quiet)
        print_summary(resume_group(folder, set_ or [], device=device, view=view), json=json)
        return
    from nnlab.runs.run import resume as resume_run

    options.ready()
    summary = resume_run(folder, overrides=set_ or [], device=device, view=view_of(quiet))
    print_summary(summary, json=json)
