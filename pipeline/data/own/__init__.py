"""Data that users bring: how folders, archives and tables are laid out, read and checked before training."""
