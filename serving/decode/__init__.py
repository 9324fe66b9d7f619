"""The decode loop: rows of tokens that are read and written side by side, joining and leaving between steps."""
