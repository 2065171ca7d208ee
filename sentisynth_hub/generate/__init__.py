"""The generate stage: requests, the providers that answer them, the journal, and the candidate rows they become."""
