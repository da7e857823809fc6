"""The core: a packet names a service and crosses nodes, decided once, forwarded natively after."""
