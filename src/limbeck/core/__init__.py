"""What everything else is made of: batches, signals, roles, identity, storage. Import the modules, not this package."""
