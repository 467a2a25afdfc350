"""The parts of a report that sequences have: loss by place, samples, errors by horizon."""
