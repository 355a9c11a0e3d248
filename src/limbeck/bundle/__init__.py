"""The finished student: its folder, written as a whole, and its model card."""
