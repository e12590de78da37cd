"""What happens by itself: conditions of assets, the look at raw files, schedules, and whom failures are told."""
