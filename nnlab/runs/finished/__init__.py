"""A run that has ended: opened again, evaluated, asked. Start with `reopen.py`."""
