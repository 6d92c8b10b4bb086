"""Background work: each job is a call of one service."""
