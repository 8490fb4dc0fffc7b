"""The work of each verb, one file a group; `cli/command.py` gives them names, help and output."""
