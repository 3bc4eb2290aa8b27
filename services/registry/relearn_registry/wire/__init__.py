"""The registry's values as protobuf messages, and back."""
