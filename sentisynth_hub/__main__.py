"""`python -m sentisynth_hub` is `sentisynth`."""

from sentisynth_hub.cli import main


if __name__ == "__main__":
    main()
