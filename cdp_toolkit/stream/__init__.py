"""The line, always on: messages in as they are sent, and the verbs in turn."""
