"""Publishing: one commit and one tag, or nothing at all; and what reads it back."""
