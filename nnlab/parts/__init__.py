"""What a YAML line chooses from: one folder is one menu, `nnlab menu losses` is `losses/`.

May import `core` alone. To add to a menu: write a class in one of its files and name it in
`KINDS` at the foot of that file. Each folder's `family.py` says what its classes promise.
"""
