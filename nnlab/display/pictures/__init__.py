"""Pictures of a run: what a teacher opens first.

`menu.py` lists them and `family.py` says what one is. A run imports the menu when it takes some.
"""
