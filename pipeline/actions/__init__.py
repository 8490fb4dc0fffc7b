"""What each verb does, one file a group; `cli/main.py` gives them names, help and output."""
