"""An activation and a layer for nnlab: a package to copy.

The entry points in pyproject.toml name its classes. torch is imported inside functions, and modules
stand in a file of their own: `nnlab check` and `nnlab menu` work without torch.
"""
