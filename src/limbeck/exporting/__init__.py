"""From a trained student to files that run elsewhere, each proven to be the student."""
