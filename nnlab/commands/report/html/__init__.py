"""The page of `nnlab eval --report`: its frame, the sections of a task, their charts."""
