"""The whole store as one file: backup, restore, and looking for damage."""
