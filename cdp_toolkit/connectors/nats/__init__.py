"""Messages of a NATS JetStream, as a source."""
