"""The embedded Hub: the Hub's HTTP protocol on loopback, over bare git repositories.

The unmodified `huggingface_hub`, `datasets` and `transformers` work against it, so everything a publishing toolkit
does can be tried, tested and taught without an account. From the outside in:

    control.py          start, stop and ask after a server in a process of its own; the variables its clients need
    testing.py          the same as a pytest fixture
    server.py           the process: one data folder, one lock, one port
    app.py              every endpoint in one table
    api_*.py            the endpoints, by subject; resolve.py the downloads; pages.py the pages for people
    http.py             routing on the raw path, the call a handler gets, who may do what
    accounts.py         users and tokens
    repos.py            the repos on disk; git.py one history, lfs.py its large files, content.py both as one
    commits.py          a commit as sent, checked before anything is stored; merging.py, discussions.py pull requests
    cards.py, info.py   the front matter, and what the API tells about a repo
    names.py, problems.py, config.py, durable.py   what may be called how, refusals, settings, writing files safely
"""
