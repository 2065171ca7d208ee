"""Beyond one run: grids of runs, leaving groups of rows out, evaluating and comparing any model."""
