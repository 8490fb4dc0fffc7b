"""The verbs users type, a file a group: names, help and output."""
