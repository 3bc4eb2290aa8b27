"""The data plane: answers predictions over the Open Inference Protocol and taps every answer."""
