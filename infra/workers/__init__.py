"""Who does heavy work: this process, a pool of processes, Ray; and what ends them."""
