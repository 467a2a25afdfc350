"""The user's own data: csv, npz, folders of images, arrays handed in from Python."""
