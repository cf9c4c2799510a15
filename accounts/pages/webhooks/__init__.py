"""Pages about webhook endpoints, and what was sent to them."""
