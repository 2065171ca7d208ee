"""People in the loop: a blind sheet of natural and synthetic rows, the page they are rated on, and reading what comes
back."""
