"""The training loop and what it needs: it is handed a signal source, an objective and `evaluate`, and knows no more."""
