"""Others on the same cases: our data for their training, their answers by our measuring."""
