"""The one-machine stack: real Kafka, real PostgreSQL and the services, without Docker and without root."""
