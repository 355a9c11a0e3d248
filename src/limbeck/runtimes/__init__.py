"""Running exported programs. Nothing here needs torch."""
