"""The parts of the network: encoders, the transformer, decoders and heads."""
