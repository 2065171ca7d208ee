"""How rows come about: one module for each method, all behind the contract in `method`."""
