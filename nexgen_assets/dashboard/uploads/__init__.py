"""Files from people's browsers: received, checked by a dry run, and committed to the landing zone."""
