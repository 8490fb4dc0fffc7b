"""What each verb does, one file a group; `cli/command.py` gives them names, help and output."""
