"""Examples with ids, their views, and the batches that training and measuring read.

`open.open_source` opens anything as a `source.Source`; `subset` and `split` choose from it; `views` augments;
`loader` makes batches. Everything up to `split` works without torch.
"""
