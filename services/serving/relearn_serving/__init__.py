"""Relearn's serving: ``relearn_serving.gateway`` answers, ``relearn_serving.control`` owns the route."""
