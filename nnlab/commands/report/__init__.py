"""`nnlab eval --report`: measures with their intervals | charts | one HTML page."""
