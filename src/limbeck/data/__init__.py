"""Examples with ids, their views, and the batches that training and measuring read."""
