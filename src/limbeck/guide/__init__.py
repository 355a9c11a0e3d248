"""Study guides: the teacher speaks once, every student reads."""
