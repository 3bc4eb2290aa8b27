"""Training: decides when a project learns again, searches, trains, and exports the winner."""
