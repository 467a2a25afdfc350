"""TensorBoard's event files, written without TensorFlow. Start with `sink.py`."""
