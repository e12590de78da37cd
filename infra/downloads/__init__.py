"""Files from other machines: resumed, bounded, checked, never from an address that is not public."""
