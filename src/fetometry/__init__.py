"""Measures the fetus in ultrasound: head, abdomen and femur, in millimetres."""

__version__ = "0.1.0"
