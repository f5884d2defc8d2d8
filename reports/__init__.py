"""AFTER: the judgement. Pure: a recorded History in, a Verdict out; it can be run again for ever."""
