"""Tests of `fetometry.serve.web`."""
