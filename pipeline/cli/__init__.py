"""The command's verbs: names, help, options and output."""
