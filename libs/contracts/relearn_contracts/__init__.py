"""What the contracts say beside messages and services: topics, and how the code is generated."""
