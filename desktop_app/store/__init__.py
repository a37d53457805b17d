"""Files in the user data directory: paths, checkpoints, gallery, session. No Qt, no torch."""
