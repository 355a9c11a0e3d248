"""Chains of distillations, each link a whole run: how they are carried out, what they came to, and their page."""
