"""Encoders: pixels -> vectors. One module a family; the heavy libraries load with the family that needs them."""
