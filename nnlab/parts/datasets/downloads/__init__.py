"""Data sets that have a name: torchvision downloads them, or they come with a package."""
