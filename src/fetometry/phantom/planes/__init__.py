"""The planes of an exam: what to show, the picture of it, and what is true of the picture."""
