"""Model scripts as text: what they are, what can be tuned in them, and how to rewrite them."""
