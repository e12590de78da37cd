"""The endpoints of the HTTP interface, one file a group of addresses."""
