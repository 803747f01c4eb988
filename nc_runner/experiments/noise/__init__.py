"""Whether what a statement says stands above the noise over seeds: in a trend, in differences."""
