"""The server of the page, without torch: checks texts, and hands on what the worker says."""
