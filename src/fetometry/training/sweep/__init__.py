"""Sweeps: the same recipe trained with other settings, on other folds, from other seeds.

`spec` says what is to be run, `run` runs one of it, `engines` one after another or on a cluster,
`reproduce` all of it, and `collect` makes table and figures of the results.
"""
