"""The commands of forgectl, a module for each group of them."""
