"""The checks, each a function from facts to findings, and the remedies that they offer.

To add one: a function in the file of its subject, named in that file's list.
"""
