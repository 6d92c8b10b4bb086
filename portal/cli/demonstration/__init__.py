"""The demonstration: an invented world, built through the portal's own services on the first start."""
