"""The text of an experiment as the page edits it: checked, and changed where it is to change."""
