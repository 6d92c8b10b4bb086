"""The use cases, one module an aggregate: the only place where policy, keys, storage and log meet."""
