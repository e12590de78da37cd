"""Every option of algorithm, schedule, engine, adapters, reward and devices, once: frozen data without torch."""
