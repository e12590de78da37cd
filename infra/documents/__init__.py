"""Office, web and mail documents as blocks in reading order; parsed in the decoding process, asked for by ``infra.media``."""
