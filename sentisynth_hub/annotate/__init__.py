"""Human ratings: a blind sheet of natural and synthetic rows, its page, and what the answers say."""
