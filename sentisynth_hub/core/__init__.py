"""What every layer uses: errors, log, text, rows, files, run folders, the processes of a launch."""
