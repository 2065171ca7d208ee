"""The publish stage: one commit and one tag for each repo, or nothing at all; and what reads it back."""
