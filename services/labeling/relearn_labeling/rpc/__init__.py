"""gRPC in: a module for each concern, a method for each RPC; together they are the servicers of the server."""

from relearn_labeling.rpc.servicers import labeling, management, review

__all__ = ["labeling", "management", "review"]
