"""The architectures: pure single-device modules that know no task, no data and no trainer."""
