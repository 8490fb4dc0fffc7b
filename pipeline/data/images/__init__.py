"""Images: files, decoding, augmentation and data modules."""
