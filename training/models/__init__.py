"""The nets, one architecture a file, as their papers describe them."""
