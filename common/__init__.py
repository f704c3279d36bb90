"""What every package needs: errors, whole files, locks, worker processes, URIs, progress."""
