"""What every part shares: errors, paths, files, jobs with progress and cancel."""
