"""Lessons: what a config's opening comment asks, lets predict and says one will observe."""

PARTS = ("Question", "Predict", "Observe", "Change next")


def lesson_of(text: str | None) -> dict[str, str]:
    """The parts of the comment that a lesson opens with: name -> name and text, one line.

    Args:
        text: of the config, as its author wrote it. One that is no lesson gives nothing.
    """
    found: dict[str, str] = {}
    name = ""
    for line in (text or "").splitlines():
        if not line.startswith("#"):
            break
        said = line.removeprefix("# ").rstrip()
        if begins := next((part for part in PARTS if said.startswith(f"{part}  ")), ""):
            name = begins
            found[name] = said
        elif name and said.startswith(" "):
            found[name] += f" {said.strip()}"
        else:
            name = ""
    return found if all(part in found for part in PARTS[:3]) else {}


def question_before(lesson: dict[str, str]) -> str:
    """What is asked before the runs, a line for each part."""
    return "\n".join(lesson[part] for part in PARTS[:2] if part in lesson)
