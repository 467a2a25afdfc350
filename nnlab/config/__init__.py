"""The language: from YAML text to a `RunConfig`, and from a mistake to words.

May import `core`, `parts`, `models` and `rules`, and never torch. Start with `run_config.py` (all
sections) and `loading.py` (the way from a file to it); `mistakes.py` says what was
wrong, with the tables of `words/`.
"""
