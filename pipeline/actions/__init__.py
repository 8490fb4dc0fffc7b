"""What each verb does, one file a group; `cli.py` gives them names, help and output."""
