"""What a config means: every `auto` decided, every shape checked, without torch.

May import `config` and what is below it. Start with `settle.py`: a `RunConfig` goes in, an
`Experiment` comes out, and nothing after it asks what was meant.
"""
