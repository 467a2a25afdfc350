"""The command line: one file or folder for each command, its words and its work.

May import everything; nobody imports it but `nnlab/cli.py`, the list of commands. A command's words
(arguments, options, help) stand in its file or in its folder's `__init__.py`, which imports
neither torch nor anything heavy at its head.
"""
