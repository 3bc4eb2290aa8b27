"""The demo: a product's camera is turned, its model falls, and the loop brings it back."""
