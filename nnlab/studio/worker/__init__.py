"""The process that trains for a session: an ordinary run behind a gate, and eyes that look at it.

`python -m nnlab.studio.worker` is started by the server. Commands come in as lines of JSON; what
happens goes out as messages (`messages.py`). It ends softly, with a checkpoint, where its input
ends.
"""
