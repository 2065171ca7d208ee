"""Who writes the texts: one module for each kind of generator, all behind the contract in `provider`."""
