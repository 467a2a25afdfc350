"""One run, from a config to a complete folder, and what can be done with it afterwards.

May import everything above `comparison`. Start with `run.py`, which reads as the story of a run:
`building/` makes the objects, `observers/` watch the stream of events, `folder/` is what lies on
disk, `finished/` opens a run again (evaluate, predict).
"""
