"""`ei gateway mqtt`: programs that speak MQTT 5 or 3.1.1, on the subjects of the service pubsub."""
