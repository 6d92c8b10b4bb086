"""The portal: rooms between people and programs on one side, policy, keys, store and log on the other."""
