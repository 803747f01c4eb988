"""From YAML and the command line to trials: the schema, its bounds, composing, the grid."""
