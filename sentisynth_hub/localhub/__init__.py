"""The embedded Hub: the Hub's HTTP protocol on loopback, over bare git repositories.

The unmodified `huggingface_hub`, `datasets` and `transformers` work against it, so everything a publishing toolkit
does can be tried, tested and taught without an account. From the outside in:

    control.py          start, stop and ask after a server in a process of its own; the variables its clients need
    testing.py          the same as a pytest fixture
    server.py           the process: one data folder, one lock, one port; recovery.py what it does before it serves
    app.py              every endpoint in one table
    http.py             routing on the raw path, the call a handler gets, who may do what; problems.py refusals
    api_*.py            the endpoints, by subject; resolve.py the downloads, sending.py, protocol.py how they are sent
    pages.py            pages for people: markdown.py cards, viewer.py, splits.py and preview.py rows, diffs.py,
                        sessions.py logging in
    hub.py              what one server holds: config.py its settings, accounts.py its users and tokens
    repos.py            the repos on disk, with their settings; discussions.py their pull requests, merging.py merges
    git.py              one history; objects.py new objects on their way in, history.py who changed what last
    lfs.py              its large files; content.py both as the clients see them
    commits.py          a commit as sent, checked before anything is stored
    cards.py, info.py   the front matter, and what the API tells about a repo
    names.py            what may be called how; durable.py writing files safely
"""
