"""Data sets that are computed: points in the plane, logic gates, functions, surfaces."""
