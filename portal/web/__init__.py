"""Pages: one blueprint for each kind of work; parse, call a service, render."""
