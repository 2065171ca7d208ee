"""The filter stage: which candidates stay. One module for each filter, all behind the contract in `contract`."""
